//! Puts line breaks into everything that is one line.

use postgate_plugin::prelude::*;

#[derive(Default)]
struct LineBreaks;

impl OnConnect for LineBreaks {
    fn on_connect(&mut self) -> ConnectAnswer {
        ConnectAnswer::next().set_banner("one\r\n220 two\0")
    }
}

impl OnHelo for LineBreaks {
    fn on_helo(&mut self, _name: &str) -> HeloAnswer {
        HeloAnswer::next().set_greeting("three\r\n250 four\0")
    }
}

postgate_plugin::export!(LineBreaks: OnConnect, OnHelo);
