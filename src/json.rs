//! JSON as it arrives: read strictly, and with the place of what is wrong.

pub mod pointer;
pub mod strict;
