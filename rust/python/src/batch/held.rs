//! The columns of a batch as the host holds them: each is read without a copy where numpy's type is the
//! natural one, else a value at a time as one by one.

use checkrein_host::exact_each;
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use policy_core::batch::{Cells, Column, Mark, Values};
use policy_core::{MAX_QUANTITY, Slot, Value};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyList, PyString, PyTuple};

use super::listed::{Listed, texts};
use crate::canonical::canonical;
use crate::convert::Shape;

/// How the values of one fact are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) shape: Shape,
    /// The most elements of a list; 0 of one value.
    pub(super) most: u32,
    pub(super) is_number: bool,
}

/// A column, with what keeps it alive.
#[derive(Debug)]
pub(super) struct Held<'py> {
    content: Content<'py>,
    /// A byte for each row, not zero where the value is missing.
    mask: Option<PyReadonlyArray1<'py, u8>>,
}

#[derive(Debug)]
enum Content<'py> {
    One(Value),
    Ints(PyReadonlyArray1<'py, i64>, i64),
    Floats(PyReadonlyArray1<'py, f64>, u32),
    Flags(PyReadonlyArray1<'py, u8>, [Value; 2]),
    Listed(Listed),
    Numbers(Vec<i64>, Vec<Mark>),
}

/// The same for threads that do not have the interpreter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shared<'a> {
    content: Plain<'a>,
    mask: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
enum Plain<'a> {
    None,
    Ints(&'a [i64], i64),
    Floats(&'a [f64], u32),
    Flags(&'a [u8]),
    Places(&'a [u32]),
    Numbers(&'a [i64], &'a [Mark]),
}

impl<'py> Held<'py> {
    /// What the host gave for one fact: `(False, value)` for all rows, or `(True, data, mask)`.
    pub(super) fn read(given: &Bound<'py, PyAny>, wanted: Wanted) -> PyResult<Self> {
        let given = given.cast::<PyTuple>()?;
        if !given.get_item(0)?.is_truthy()? {
            let value = given.get_item(1)?;
            return Ok(Self { content: Content::One(wanted.value(&value)?), mask: None });
        }
        let (data, mask) = (given.get_item(1)?, given.get_item(2)?);
        let mask = if mask.is_none() { None } else { Some(mask.cast::<PyArray1<u8>>()?.try_readonly()?) };
        Ok(Self { content: Content::read(&data, wanted)?, mask })
    }

    /// How its values come.
    pub(super) fn values(&self) -> Values<'_> {
        match &self.content {
            Content::One(value) => Values::One(value.as_slot()),
            Content::Ints(..) | Content::Floats(..) | Content::Numbers(..) => Values::Numbers,
            Content::Flags(_, values) => Values::Among(values),
            Content::Listed(listed) => Values::Among(&listed.values),
        }
    }

    pub(super) fn shared(&self) -> PyResult<Shared<'_>> {
        let content = match &self.content {
            Content::One(_) => Plain::None,
            Content::Ints(array, unit) => Plain::Ints(array.as_slice()?, *unit),
            Content::Floats(array, scale) => Plain::Floats(array.as_slice()?, *scale),
            Content::Flags(array, _) => Plain::Flags(array.as_slice()?),
            Content::Listed(listed) => Plain::Places(&listed.places),
            Content::Numbers(numbers, marks) => Plain::Numbers(numbers, marks),
        };
        let mask = self.mask.as_ref().map_or(Ok(&[][..]), |mask| mask.as_slice())?;
        Ok(Shared { content, mask })
    }
}

impl<'py> Content<'py> {
    fn read(data: &Bound<'py, PyAny>, wanted: Wanted) -> PyResult<Self> {
        let py = data.py();
        let takes_numbers = wanted.is_number && wanted.most == 0;
        if let Ok(array) = data.cast::<PyArray1<i64>>() {
            return match 10_i64.checked_pow(wanted.shape.scale()) {
                Some(unit) if takes_numbers => Ok(Self::Ints(array.try_readonly()?, unit)),
                _ => Ok(Self::Listed(Listed::ill(array.len()?))),
            };
        }
        if let Ok(array) = data.cast::<PyArray1<f64>>() {
            return if takes_numbers {
                Ok(Self::Floats(array.try_readonly()?, wanted.shape.scale()))
            } else {
                Ok(Self::Listed(Listed::ill(array.len()?)))
            };
        }
        if let Ok(array) = data.cast::<PyArray1<u8>>() {
            let value = |flag| wanted.value(PyBool::new(py, flag).as_any());
            let flags = [value(false)?, value(true)?];
            return Ok(Self::Flags(array.try_readonly()?, flags));
        }
        if let Ok(array) = data.cast::<PyArray2<u32>>() {
            let letters: PyReadonlyArray2<'py, u32> = array.try_readonly()?;
            let width = letters.as_array().ncols();
            let slice = letters.as_slice()?;
            let (known, places) = py.detach(|| texts(slice, width));
            let value = |text: Option<String>| {
                text.map_or(Ok(Value::Ill), |text| wanted.value(PyString::new(py, &text).as_any()))
            };
            let values = known.into_iter().map(value).collect::<PyResult<_>>()?;
            return Ok(Self::Listed(Listed { values, places }));
        }
        let list = data.cast::<PyList>()?;
        if !takes_numbers {
            let values = list.iter().map(|value| wanted.value(&value)).collect::<PyResult<Vec<_>>>()?;
            return Ok(Self::Listed(Listed::of(values.into_iter())));
        }
        let (mut numbers, mut marks) = (Vec::with_capacity(list.len()), Vec::with_capacity(list.len()));
        for value in list {
            let (number, mark) = match wanted.shape.slot(&value)? {
                Slot::Int(number) => (number, Mark::Here),
                Slot::Missing => (0, Mark::Missing),
                _ => (0, Mark::Ill),
            };
            numbers.push(number);
            marks.push(mark);
        }
        Ok(Self::Numbers(numbers, marks))
    }
}

impl Wanted {
    fn value(self, value: &Bound<'_, PyAny>) -> PyResult<Value> {
        match self.most {
            0 => self.shape.slot(value).map(Value::from),
            most => self.shape.list(value, most),
        }
    }
}

/// Room for the columns of a piece that are not as the engine reads them.
#[derive(Debug, Default)]
pub(super) struct Room {
    numbers: Vec<i64>,
    are_exact: Vec<bool>,
    marks: Vec<Mark>,
}

impl<'a> Shared<'a> {
    /// A column that nobody reads.
    pub(super) const NONE: Self = Self { content: Plain::None, mask: &[] };

    /// The rows from `first` on, as the engine reads them.
    pub(super) fn piece<'b>(&self, first: usize, rows: usize, room: &'b mut Room) -> Column<'b>
    where
        'a: 'b,
    {
        let end = first.saturating_add(rows);
        let Room { numbers, are_exact, marks } = room;
        let mask = self.mask.get(first..end).unwrap_or_default();
        marks.clear();
        let cells = match self.content {
            Plain::None => return Column::NONE,
            Plain::Ints(values, unit) => {
                let values = values.get(first..end).unwrap_or_default();
                if unit == 1 {
                    Cells::Numbers(values)
                } else {
                    let most = MAX_QUANTITY.checked_div(unit.unsigned_abs()).unwrap_or(0);
                    numbers.clear();
                    numbers.extend(values.iter().map(|value| value.wrapping_mul(unit)));
                    if values.iter().any(|value| value.unsigned_abs() > most) {
                        marks.extend(values.iter().map(|value| ill_if(value.unsigned_abs() > most)));
                    }
                    Cells::Numbers(numbers)
                }
            }
            Plain::Floats(values, scale) => {
                let values = values.get(first..end).unwrap_or_default();
                numbers.resize(rows, 0);
                are_exact.resize(rows, false);
                exact_each(values, scale, numbers, are_exact);
                if !are_exact.iter().all(|is_exact| *is_exact) {
                    marks.extend(are_exact.iter().map(|is_exact| ill_if(!is_exact)));
                }
                Cells::Numbers(numbers)
            }
            Plain::Flags(flags) => Cells::Few(flags.get(first..end).unwrap_or_default()),
            Plain::Places(places) => Cells::Places(places.get(first..end).unwrap_or_default()),
            Plain::Numbers(values, known) => {
                marks.extend_from_slice(known.get(first..end).unwrap_or_default());
                Cells::Numbers(values.get(first..end).unwrap_or_default())
            }
        };
        if !mask.is_empty() {
            marks.resize(rows, Mark::Here);
            for (mark, is_missing) in marks.iter_mut().zip(mask) {
                *mark = if *is_missing == 0 { *mark } else { Mark::Missing };
            }
        }
        Column { cells, marks }
    }
}

const fn ill_if(is_ill: bool) -> Mark {
    if is_ill { Mark::Ill } else { Mark::Here }
}

/// Which rows of an argument hold a number that not everybody reads alike, added to those of others; nothing
/// is added where all read them alike.
///
/// # Errors
/// As `canonical`.
pub(super) fn add_unsafe(given: &Bound<'_, PyAny>, rows: usize, unsafe_rows: &mut Vec<bool>) -> PyResult<()> {
    let given = given.cast::<PyTuple>()?;
    let data = given.get_item(1)?;
    if !given.get_item(0)?.is_truthy()? {
        if is_unsafe(&data)? {
            *unsafe_rows = vec![true; rows];
        }
        return Ok(());
    }
    let mask = given.get_item(2)?;
    let mask = if mask.is_none() { None } else { Some(mask.cast::<PyArray1<u8>>()?.try_readonly()?) };
    let mask = mask.as_ref().map_or(Ok(&[][..]), |mask| mask.as_slice())?;
    let mut found = Vec::new();
    if let Ok(array) = data.cast::<PyArray1<i64>>() {
        let array = array.try_readonly()?;
        let is_beyond = |number: &i64| number.unsigned_abs() > MAX_QUANTITY;
        if array.as_slice()?.iter().any(is_beyond) {
            found.extend(array.as_slice()?.iter().map(is_beyond));
        }
    } else if let Ok(list) = data.cast::<PyList>() {
        for value in list {
            found.push(is_unsafe(&value)?);
        }
    }
    for (row, is_unsafe) in found.into_iter().enumerate() {
        if is_unsafe && mask.get(row).copied().unwrap_or(0) == 0 {
            unsafe_rows.resize(rows, false);
            if let Some(slot) = unsafe_rows.get_mut(row) {
                *slot = true;
            }
        }
    }
    Ok(())
}

fn is_unsafe(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let is_plain = value.is_none()
        || value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyFloat>()
        || value.is_exact_instance_of::<PyBool>();
    if is_plain {
        return Ok(false);
    }
    if value.is_exact_instance_of::<PyInt>() {
        return Ok(!value.extract::<i64>().is_ok_and(|number| number.unsigned_abs() <= MAX_QUANTITY));
    }
    Ok(canonical(value)?.is_unsafe)
}
