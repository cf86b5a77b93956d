"""`python -m checkrein`: the command, by the interpreter that has the package."""

from checkrein.cli.main import main

if __name__ == "__main__":
    main()
