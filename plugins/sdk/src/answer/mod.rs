//! Answers: a verdict, and the edits that its event allows.

mod decision;
mod edit;
mod generic;
mod query;
mod verdict;

pub use generic::{
    Answer, AuthAnswer, BodyChunkAnswer, ConnectAnswer, DataAnswer, HeadersAnswer, HeloAnswer,
    MailAnswer, MessageAnswer, ProxyAnswer, QueryAnswer, RcptAnswer, StarttlsAnswer,
};
