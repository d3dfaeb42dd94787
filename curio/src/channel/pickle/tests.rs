//! Against pickles that Python has made, and hostile ones that it would not.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use proptest::prelude::*;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value as Json, json};

use super::{Bad, op};

/// What a Python has made of everything that is plain data: 3.6, 3.6 and 3.8.
const PROTOCOL_3: &str = "\
    80037d71002858040000006e6f6e6571014e580300000079657371028858020000006e6f7103895805000000736d616c6c71\
    044b07580500000073686f727471054dffff58030000006e656771064afbffffff580300000062696771078a060000000000\
    01580300000075363471088a09ffffffffffffffff0058040000006931323871098a0d000000000000000000000000f05802\
    0000007069710a47400c000000000000580400000074657874710b58060000006772c3bcc39f710c58050000006279746573\
    710d430200ff710e58040000006c697374710f5d7110284b015d7111284b025d7112656558060000007475706c6573711328\
    294b018571144b014b028671154b014b024b03877116284b014b024b034b0474711774711858030000007365747119636275\
    696c74696e730a7365740a711a5d711b4b076185711c52711d580600000066726f7a656e711e636275696c74696e730a6672\
    6f7a656e7365740a711f5d71204b0861857121527122580500000061727261797123636275696c74696e730a627974656172\
    7261790a71244302616271258571265271275805000000616761696e71286810752e";
const PROTOCOL_4: &str = "\
    80049527010000000000007d94288c046e6f6e65944e8c0379657394888c026e6f94898c05736d616c6c944b078c0573686f\
    7274944dffff8c036e6567944afbffffff8c03626967948a060000000000018c03753634948a09ffffffffffffffff008c04\
    69313238948a0d000000000000000000000000f08c0270699447400c0000000000008c0474657874948c066772c3bcc39f94\
    8c05627974657394430200ff948c046c697374945d94284b015d94284b025d9465658c067475706c65739428294b0185944b\
    014b0286944b014b024b038794284b014b024b034b04749474948c03736574948f94284b07908c0666726f7a656e94284b08\
    91948c056172726179948c086275696c74696e73948c096279746561727261799493944302616294859452948c0561676169\
    6e946810752e";
const PROTOCOL_5: &str = "\
    80059511010000000000007d94288c046e6f6e65944e8c0379657394888c026e6f94898c05736d616c6c944b078c0573686f\
    7274944dffff8c036e6567944afbffffff8c03626967948a060000000000018c03753634948a09ffffffffffffffff008c04\
    69313238948a0d000000000000000000000000f08c0270699447400c0000000000008c0474657874948c066772c3bcc39f94\
    8c05627974657394430200ff948c046c697374945d94284b015d94284b025d9465658c067475706c65739428294b0185944b\
    014b0286944b014b024b038794284b014b024b034b04749474948c03736574948f94284b07908c0666726f7a656e94284b08\
    91948c056172726179949602000000000000006162948c05616761696e946810752e";

const ALLOWANCE: usize = 1 << 20;

fn read<T: serde::de::DeserializeOwned>(message: &[u8]) -> Result<T, Bad> {
    super::read(message, ALLOWANCE)
}

fn write<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    super::write(value, &mut out).unwrap();
    out
}

#[track_caller]
fn refused(message: &[u8], why: &str) {
    let bad = read::<serde::de::IgnoredAny>(message).unwrap_err().to_string();
    assert!(bad.contains(why), "{bad}");
}

fn hex(text: &str) -> Vec<u8> {
    let text: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digit = |byte: u8| (byte as char).to_digit(16).unwrap() as u8;
    text.chunks(2)
        .map(|two| digit(two[0]) * 16 + digit(two[1]))
        .collect()
}

type Tuples = ([u8; 0], (u8,), (u8, u8), (u8, u8, u8), Vec<u8>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    none: Option<u8>,
    yes: bool,
    no: bool,
    small: u8,
    short: u16,
    neg: i8,
    big: i64,
    u64: u64,
    i128: i128,
    pi: f64,
    text: String,
    bytes: Vec<u8>,
    list: (u8, (u8, [u8; 0])),
    tuples: Tuples,
    set: Vec<u8>,
    frozen: Vec<u8>,
    array: Vec<u8>,
    again: (f32, Option<(u8, Vec<u8>)>),
}

#[test]
fn what_python_has_pickled() {
    let expected = Everything {
        none: None,
        yes: true,
        no: false,
        small: 7,
        short: 65535,
        neg: -5,
        big: 1 << 40,
        u64: u64::MAX,
        i128: -(1 << 100),
        pi: 3.5,
        text: "grüß".to_string(),
        bytes: vec![0, 255],
        list: (1, (2, [])),
        tuples: ([], (1,), (1, 2), (1, 2, 3), vec![1, 2, 3, 4]),
        set: vec![7],
        frozen: vec![8],
        array: b"ab".to_vec(),
        again: (1.0, Some((2, vec![]))),
    };
    for pickle in [PROTOCOL_3, PROTOCOL_4, PROTOCOL_5] {
        let message = hex(pickle);
        assert_eq!(read::<Everything>(&message).unwrap(), expected);
        // Wherever it is cut off, that is an error, and neither a panic nor something else.
        for end in 0..message.len() {
            refused(&message[..end], "it is");
        }
    }
    assert_eq!(read::<Everything>(&write(&expected)).unwrap(), expected);
}

#[test]
fn enums_are_as_in_json() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Shape {
        Empty,
        Named(String),
        Point(i8, i8),
        Circle { r: f64 },
    }
    use Shape::{Circle, Empty, Named, Point};
    for (shape, expected) in [
        (Empty, json!("Empty")),
        (Named("x".into()), json!({"Named": "x"})),
        (Point(1, -1), json!({"Point": [1, -1]})),
        (Circle { r: 2.0 }, json!({"Circle": {"r": 2.0}})),
    ] {
        assert_eq!(read::<Json>(&write(&shape)).unwrap(), expected);
        assert_eq!(read::<Shape>(&write(&shape)).unwrap(), shape);
        assert_eq!(read::<Shape>(&write(&expected)).unwrap(), shape);
    }
    for wrong in [
        json!("What"),
        json!({"Empty": 1}),
        json!({}),
        json!(1),
        json!({"Point": [1]}),
    ] {
        assert!(read::<Shape>(&write(&wrong)).is_err(), "{wrong}");
    }
}

#[test]
fn keys_may_be_any_plain_data() {
    let squares: BTreeMap<(i32, bool), f32> = [((1, true), 1.0), ((-2, false), 4.0)].into();
    assert_eq!(
        read::<BTreeMap<(i32, bool), f32>>(&write(&squares)).unwrap(),
        squares
    );
}

#[test]
fn nothing_is_called() {
    // os.system("true"), as protocol 0 and 4 say it.
    let old = b"\x80\x02cposix\nsystem\nX\x04\0\0\0true\x85R.";
    refused(old, "has a posix.system");
    let new = b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x04true\x85R.";
    refused(new, "has a posix.system");
    refused(b"\x80\x04cbuiltins\neval\n.", "has a builtins.eval");
    // Not by way of what is known, either.
    refused(b"\x80\x04\x8c\x03set\x8c\x01x\x85R.", "has a call");
    refused(b"\x80\x04cbuiltins\nset\n.", "a class");
    for code in [b'o', b'i', b'b', 0x81, 0x82, 0x92, b'P', b'Q', 0x97] {
        refused(&[op::PROTO, 4, op::NONE, code], "no plain data");
    }
}

#[test]
fn what_is_nested_is_no_recursion() {
    let nested = |depth: usize| {
        let mut message = vec![op::PROTO, 4, op::NONE];
        message.extend(vec![op::TUPLE1; depth]);
        message.push(op::STOP);
        message
    };
    assert!(read::<serde::de::IgnoredAny>(&nested(128)).is_ok());
    refused(&nested(129), "too deep");
    refused(&nested(5_000_000), "too deep");
    let marks = vec![op::MARK; 1_000_000];
    refused(&[&[op::PROTO, 4][..], &marks].concat(), "cut off");
}

#[test]
fn what_contains_itself_is_an_error() {
    refused(b"\x80\x04]\x94h\0a.", "contains itself");
    refused(b"\x80\x04}\x94X\x01\0\0\0xh\0s.", "contains itself");
}

#[test]
fn what_is_shared_counts_each_time() {
    // A list of twice the same, forty times over: a tera of Nones in some hundred bytes.
    let mut laughs = vec![op::PROTO, 4, op::NONE];
    laughs.extend([op::DUP, op::TUPLE2].repeat(40));
    laughs.push(op::STOP);
    refused(&laughs, "too often");
    let long = "x".repeat(1000);
    let mut often = write(&long);
    often.pop();
    often.push(op::MEMOIZE);
    often.push(op::MARK);
    often.extend([op::BINGET, 0].repeat(2000));
    often.extend([op::TUPLE, op::STOP]);
    refused(&often, "too often");
}

/// As much as it may be given would be gigabytes, if it were many small things.
#[test]
fn what_is_read_again_costs_what_it_takes() {
    thread_local!(static GIVEN: Cell<usize> = const { Cell::new(0) });

    struct Tree;
    impl<'de> Deserialize<'de> for Tree {
        fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Tree, D::Error> {
            struct Leaves;
            impl<'de> Visitor<'de> for Leaves {
                type Value = Tree;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("anything")
                }

                fn visit_unit<E>(self) -> Result<Tree, E> {
                    Ok(Tree)
                }

                fn visit_str<E>(self, _: &str) -> Result<Tree, E> {
                    Ok(Tree)
                }

                fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
                    while seq.next_element::<Tree>()?.is_some() {}
                    Ok(Tree)
                }
            }
            GIVEN.set(GIVEN.get() + 1);
            from.deserialize_any(Leaves)
        }
    }

    let allowance = 1 << 20;
    let mut laughs = vec![op::PROTO, 4, op::NONE];
    laughs.extend([op::DUP, op::TUPLE2].repeat(30));
    laughs.push(op::STOP);
    assert!(super::read::<Tree>(&laughs, allowance).is_err());
    assert!(GIVEN.get() < allowance / 32, "{}", GIVEN.get());
    // Names that many refer to are another matter.
    let mut names = write("name");
    names.pop();
    names.extend([op::MEMOIZE, op::MARK]);
    let records = 100_000;
    for _ in 0..records {
        names.extend([op::MARK, op::BINGET, 0, op::TUPLE]);
    }
    names.extend([op::TUPLE, op::STOP]);
    GIVEN.set(0);
    assert!(super::read::<Tree>(&names, allowance).is_ok());
    assert_eq!(GIVEN.get(), 1 + 2 * records);
}

#[test]
fn nonsense() {
    for (message, why) in [
        (&b""[..], "no pickle"),
        (b"hello", "no pickle"),
        (b"\x80\x04.", "stack is empty"),
        (b"\x80\x04(.", "stack is empty"),
        (b"\x80\x04N(0.", "stack is empty"),
        (b"\x80\x04N(\x85.", "stack is empty"),
        (b"\x80\x04t.", "no mark"),
        (b"\x80\x04h\x05.", "does not have"),
        (b"\x80\x04Nj\xff\xff\xff\xff.", "does not have"),
        (b"\x80\x04Nr\xff\xff\xff\xff.", "remembers more"),
        (b"\x80\x04NNa.", "no list"),
        (b"\x80\x04}(Nu.", "no dict"),
        (b"\x80\x04NNNs.", "no dict"),
        (
            b"\x80\x04\x8a\x11\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01.",
            "128 bits",
        ),
        (b"\x80\x04X\xff\xff\xff\xff.", "cut off"),
        (b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "cut off"),
        (b"\x80\x04C\x01", "cut off"),
        (b"\x80\x04\x8c\x01\xff.", "utf-8"),
        (b"\x80\x04NN\x93.", "by no text"),
        (b"\x80\x04cposix", "cut off"),
    ] {
        let why = why.to_lowercase();
        let bad = read::<String>(message).unwrap_err().to_string();
        assert!(bad.contains(&why), "{message:?}: {bad}");
    }
    assert!(read::<(u8, u8)>(&write(&[1, 2, 3])).is_err());
    assert!(read::<u8>(&write(&256)).is_err());
    assert!(super::write(&u128::MAX, &mut Vec::new()).is_err());
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>()
            .prop_filter("JSON has no others", |f| f.is_finite())
            .prop_map(Json::from),
        ".{0,300}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Json::from),
            prop::collection::btree_map(".{0,4}", inner, 0..8)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in json()) {
        prop_assert_eq!(read::<Json>(&write(&value)).unwrap(), value);
    }

    #[test]
    fn integers_of_all_sizes(int in any::<i128>(), shift in 0u32..128) {
        let int = int >> shift;
        prop_assert_eq!(read::<i128>(&write(&int)).unwrap(), int);
    }

    /// No bytes make it panic, nor take for ever.
    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read::<Json>(&[&[op::PROTO, 4][..], &bytes].concat());
    }

    /// Nor do the instructions that there are, in any order.
    #[test]
    fn any_instructions(codes in prop::collection::vec(
        prop::sample::select(&b"(012qhNK]}aestu)\x85\x86\x87\x88\x94\x8f\x90\x91\x93R."[..]), 0..200)
    ) {
        let _ = read::<Json>(&[&[op::PROTO, 4][..], &codes].concat());
    }
}
