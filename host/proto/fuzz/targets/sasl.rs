//! See `postgate_tests::fuzz::sasl`.
#![no_main]

libfuzzer_sys::fuzz_target!(|octets: &[u8]| postgate_tests::fuzz::sasl(octets));
