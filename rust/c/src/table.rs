//! The table of functions. What is in it stays where it is: a later version adds at the end.

use crate::calls::{self, Values};
use crate::edge::{Buffer, In, Out, Span, watch_forks};
use crate::types::{self, ABI};
use crate::{ends, said, setup};

/// Declares the table and fills it, so that no entry can be another one's.
macro_rules! table {
    ($($name:ident: $function:path = fn($($argument:ty),*) -> $answer:ty;)*) => {
        /// The functions of the door, as `checkrein_api` in `checkrein.h` declares them.
        #[repr(C)]
        #[derive(Clone, Copy, Debug)]
        pub struct Api {
            abi: u32,
            size: u32,
            $($name: extern "C" fn($($argument),*) -> $answer,)*
        }

        static API: Api = Api {
            abi: ABI,
            size: SIZE,
            $($name: $function,)*
        };
    };
}

/// The bytes of the table, by which a caller knows what is in it.
#[expect(clippy::cast_possible_truncation, reason = "some hundred bytes")]
const SIZE: u32 = size_of::<Api>() as u32;

type Text = Span<u8>;

table! {
    version: said::version = fn() -> Text;
    message: said::message = fn(Buffer) -> usize;
    now: said::now = fn() -> types::Now;
    load: setup::load = fn(Text, Out<'_, types::Program>) -> i32;
    bind_tool: setup::bind_tool = fn(
        types::Program, Text, In<'_, types::Names>, Out<'_, types::Call>
    ) -> i32;
    bind_model: setup::bind_model = fn(
        types::Program, Text, In<'_, types::Names>, Out<'_, types::Call>
    ) -> i32;
    bind_result: setup::bind_result = fn(
        types::Program, Text, In<'_, types::Names>, Out<'_, types::Call>
    ) -> i32;
    open_ledger: setup::open_ledger = fn(Text, u32, types::Now, Out<'_, types::Ledger>) -> i32;
    begin: setup::begin = fn(
        types::Program, types::Ledger, In<'_, types::Scopes>, u64, types::Now, Out<'_, types::Run>
    ) -> i32;
    tool_call: calls::tool_call = fn(
        types::Run, types::Now, types::Call, u64, In<'_, Values>, Out<'_, types::Decision>
    ) -> i32;
    model_call: calls::model_call = fn(
        types::Run, types::Now, types::Call, u64, In<'_, types::Prompt>, In<'_, Values>,
        Out<'_, types::Decision>
    ) -> i32;
    result: calls::result = fn(
        types::Run, types::Now, In<'_, types::Returned>, In<'_, types::Usage>, types::Call,
        In<'_, Values>, Out<'_, types::Decision>
    ) -> i32;
    fail: calls::fail = fn(
        types::Run, types::Now, u64, In<'_, types::Usage>, In<'_, types::Failure>,
        Out<'_, types::Decision>
    ) -> i32;
    settle: ends::settle = fn(
        types::Run, types::Now, u64, In<'_, types::Usage>, Out<'_, types::Settlement>
    ) -> i32;
    adjust: ends::adjust = fn(
        types::Run, types::Now, u64, In<'_, types::Usage>, Out<'_, types::Settlement>
    ) -> i32;
    answer: ends::answer_request = fn(types::Run, types::Now, u64, u32) -> i32;
    meter: ends::meter = fn(types::Run, u64, Out<'_, types::Meter>) -> i32;
    count: ends::count = fn(types::Meter, u64) -> i64;
    text: said::text = fn(types::Run, u64, u32, Buffer, Out<'_, usize>) -> i32;
    end: ends::end = fn(types::Run, types::Now) -> i32;
    close_run: setup::close_run = fn(types::Run) -> i32;
    close_meter: ends::close_meter = fn(types::Meter) -> i32;
    close_ledger: setup::close_ledger = fn(types::Ledger) -> i32;
    close_program: setup::close_program = fn(types::Program) -> i32;
}

/// The table, which lasts as long as the process.
#[must_use]
pub fn api() -> &'static Api {
    watch_forks();
    &API
}
