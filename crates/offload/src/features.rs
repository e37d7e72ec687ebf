//! Messages of the kernel's ethtool family about features.
//!
//! ```text
//!   GET   1 header ─▶ 2 name                                                     no name: of all interfaces
//!         answer: the header, 4 active ─▶ 3 bits ─▶ 1 bit ─▶ 2 name              only what is on is listed
//!   SET   1 header ─▶ 2 name    3 wanted ─▶ 3 bits ─▶ 1 bit ─▶ 2 name, 3 value   on with a value, off without
//! ```
//!
//! <https://docs.kernel.org/networking/ethtool-netlink.html#features-get>

use netlink_packet_core::{
    DecodeError, DefaultNla, Emitable, NLA_F_NESTED, NlasIterator, Parseable, ParseableParametrized,
};
use netlink_packet_generic::{GenlFamily, GenlHeader};

/// `ETHTOOL_MSG_FEATURES_GET` and `_SET`, and the version of the family.
const GET: u8 = 11;
const SET: u8 = 12;
const VERSION: u8 = 1;
/// `ETHTOOL_A_FEATURES_HEADER`, `ETHTOOL_A_HEADER_DEV_NAME`.
const HEADER: u16 = 1;
const HEADER_NAME: u16 = 2;
/// `ETHTOOL_A_FEATURES_WANTED`, `_ACTIVE`.
const WANTED: u16 = 3;
const ACTIVE: u16 = 4;
/// `ETHTOOL_A_BITSET_BITS`, `ETHTOOL_A_BITSET_BITS_BIT`, `ETHTOOL_A_BITSET_BIT_NAME`, `_VALUE`.
const BITS: u16 = 3;
const BIT: u16 = 1;
const BIT_NAME: u16 = 2;
const BIT_VALUE: u16 = 3;

/// A message: its attributes as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Features {
    command: u8,
    attributes: Vec<DefaultNla>,
}

impl Features {
    /// The question about all interfaces.
    pub(crate) fn of_all() -> Self {
        Self { command: GET, attributes: vec![nested(HEADER, &[])] }
    }

    /// The question about one.
    pub(crate) fn of_one(interface: &str) -> Self {
        Self { command: GET, attributes: vec![header(interface)] }
    }

    /// The wish to have a feature on or off.
    pub(crate) fn wanted(interface: &str, feature: &str, is_on: bool) -> Self {
        let mut bit = vec![text(BIT_NAME, feature)];
        if is_on {
            bit.push(DefaultNla::new(BIT_VALUE, Vec::new()));
        }
        let bits = nested(BITS, &[nested(BIT, &bit)]);
        Self { command: SET, attributes: vec![header(interface), nested(WANTED, &[bits])] }
    }

    /// The interface that an answer is about.
    pub(crate) fn interface(&self) -> String {
        let headers = within(&encoded(&self.attributes), HEADER);
        let names = headers.iter().flat_map(|header| within(header, HEADER_NAME));
        names.map(|name| told(&name)).next().unwrap_or_default()
    }

    /// Names of the features that an answer lists as on.
    pub(crate) fn on(&self) -> Vec<String> {
        let sets = within(&encoded(&self.attributes), ACTIVE);
        let bits = sets.iter().flat_map(|set| within(set, BITS));
        let names = bits.flat_map(|bits| within(&bits, BIT)).flat_map(|bit| within(&bit, BIT_NAME));
        names.map(|name| told(&name)).collect()
    }
}

/// What the attributes of that kind hold. What cannot be read ends the list.
fn within(bytes: &[u8], kind: u16) -> Vec<Vec<u8>> {
    let attributes = NlasIterator::new(bytes).map_while(Result::ok);
    attributes.filter(|attribute| attribute.kind() == kind).map(|found| found.value().to_vec()).collect()
}

fn encoded(attributes: &[DefaultNla]) -> Vec<u8> {
    let mut bytes = vec![0; attributes.buffer_len()];
    attributes.emit(&mut bytes);
    bytes
}

fn nested(kind: u16, attributes: &[DefaultNla]) -> DefaultNla {
    DefaultNla::new(kind | NLA_F_NESTED, encoded(attributes))
}

/// Text ends with a zero.
fn text(kind: u16, text: &str) -> DefaultNla {
    DefaultNla::new(kind, [text.as_bytes(), b"\0"].concat())
}

fn told(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

fn header(interface: &str) -> DefaultNla {
    nested(HEADER, &[text(HEADER_NAME, interface)])
}

impl GenlFamily for Features {
    fn family_name() -> &'static str {
        "ethtool"
    }

    fn command(&self) -> u8 {
        self.command
    }

    fn version(&self) -> u8 {
        VERSION
    }
}

impl Emitable for Features {
    fn buffer_len(&self) -> usize {
        self.attributes.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.attributes.as_slice().emit(buffer);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Features {
    fn parse_with_param(bytes: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        let attributes = NlasIterator::new(bytes).map(|attribute| DefaultNla::parse(&attribute?));
        Ok(Self { command: header.cmd, attributes: attributes.collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(bytes: &[u8]) -> Result<Features, DecodeError> {
        Features::parse_with_param(bytes, GenlHeader { cmd: GET, version: VERSION })
    }

    fn answer() -> Vec<u8> {
        // An index comes first; that of scatter-gather is 0.
        let bit = |name| nested(BIT, &[DefaultNla::new(1, vec![0; 4]), text(BIT_NAME, name)]);
        let bits = nested(BITS, &[bit("tx-scatter-gather"), bit("rx-gro")]);
        encoded(&[header("eth7"), nested(ACTIVE, &[bits])])
    }

    #[test]
    fn an_answer_names_the_interface_and_what_is_on() {
        let told = parsed(&answer()).expect("parsed");
        assert_eq!(
            (told.interface().as_str(), told.on()),
            ("eth7", vec!["tx-scatter-gather".to_owned(), "rx-gro".to_owned()])
        );
        let nothing = parsed(&[]).expect("parsed");
        assert!(nothing.interface().is_empty() && nothing.on().is_empty());
    }

    #[test]
    fn cut_anywhere_it_is_an_answer_or_an_error() {
        let answer = answer();
        for len in 0..answer.len() {
            if let Ok(told) = parsed(&answer[..len]) {
                assert!(told.interface().len() <= 4 && told.on().len() <= 2);
            }
        }
    }

    #[test]
    fn a_wish_has_a_value_where_the_feature_is_to_be_on() {
        let [on, off] =
            [true, false].map(|is_on| Features::wanted("eth7", "tx-scatter-gather", is_on).buffer_len());
        assert_eq!(on, off + 4, "an empty attribute more");
    }
}
