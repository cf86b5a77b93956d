//! The primitives of an artifact, written.

use std::collections::BTreeSet;

use super::Lit;

/// Writes twice: once to learn the strings, once with their indexes.
#[derive(Default)]
pub struct Writer {
    pub strings: BTreeSet<String>,
    pub sorted: Vec<String>,
    pub out: Vec<u8>,
}

impl Writer {
    pub fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.out.push((number & 0x7F) as u8 | 0x80);
            number >>= 7;
        }
        self.out.push(number as u8);
    }

    pub fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)) as u64);
    }

    pub fn text(&mut self, text: &str) {
        self.strings.insert(text.to_owned());
        let index = self.sorted.iter().position(|known| known == text).unwrap_or(0);
        self.number(index as u64);
    }

    pub fn list<T>(&mut self, items: &[T], mut item: impl FnMut(&mut Self, &T)) {
        self.number(items.len() as u64);
        for each in items {
            item(self, each);
        }
    }

    pub fn option<T>(&mut self, value: Option<T>, item: impl FnOnce(&mut Self, T)) {
        self.byte(u8::from(value.is_some()));
        if let Some(value) = value {
            item(self, value);
        }
    }

    pub fn lit(&mut self, lit: Lit) {
        match lit {
            Lit::Text(text) => {
                self.byte(0);
                self.text(text);
            }
            Lit::Flag(flag) => {
                self.byte(1);
                self.byte(u8::from(flag));
            }
            Lit::Number(dimension, number) => {
                self.byte(dimension);
                self.signed(number);
            }
        }
    }
}
