//! Parameters: JSON text in, a type of the plugin's own out, with messages that say where it is wrong.

use std::collections::BTreeSet;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::problem::Problem;

/// Most problems that are told at once: what the server keeps.
const PROBLEMS_MAX: usize = 100;

/// Most bytes of parameters that are looked through for more than the first problem, in all: each problem takes another
/// look at all the rest, and whoever writes the parameters must not use up the processor time of the plugin. Up to 10 KiB
/// of them have all of [`PROBLEMS_MAX`] told, the largest there may be the first five.
const SIFTED_BYTES_MAX: usize = 1 << 20;

/// Reads parameters.
///
/// # Errors
///
/// All values that are not what the type wants, each with its place; of large parameters only the first of them. Of fields
/// that are missing in one object only the first is told, and only if nothing else is wrong there.
pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Vec<Problem>> {
    if text.is_empty() {
        let message = "the parameters are missing: write {} or null where there are none".to_owned();
        return Err(vec![Problem { path: String::new(), message }]);
    }
    read(text).map_err(|first| all_problems::<T>(text, first))
}

/// Something that is wrong, and the way to it.
struct Wrong {
    /// From the outside in; none if the place is not known.
    steps: Option<Vec<Step>>,
    message: String,
}

/// One step into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, Wrong> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = read_from(&mut reader)?;
    let end = reader.end();
    end.map_err(|error| Wrong { steps: None, message: error.to_string() })?;
    Ok(value)
}

fn read_from<'de, T: DeserializeOwned, D: Deserializer<'de>>(reader: D) -> Result<T, Wrong> {
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let steps = error.path().iter().map(|segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            // A variant that holds something is written as an object with one key.
            Segment::Map { key: name } | Segment::Enum { variant: name } => Some(Step::Key(name.clone())),
            Segment::Unknown => None,
        });
        Wrong { steps: steps.collect(), message: error.inner().to_string() }
    })
}

/// Tells the first problem and looks for more: what is wrong is taken out, and the rest is read again.
fn all_problems<T: DeserializeOwned>(text: &str, first: Wrong) -> Vec<Problem> {
    let mut document: Option<Value> = serde_json::from_str(text).ok();
    let mut taken = Taken::default();
    let mut told: Vec<(Vec<Step>, String)> = Vec::new();
    let mut next = Some(first);
    let looks = SIFTED_BYTES_MAX / text.len();
    while let Some(Wrong { steps, message }) = next.take() {
        let way = steps.as_deref().map(|steps| taken.original(steps)).unwrap_or_default();
        // What is wrong around a place that something was taken from may be wrong because of that.
        if !told.iter().any(|(inner, _)| inner.starts_with(&way)) {
            told.push((way.clone(), without_place(message)));
        }
        let Some((document, steps)) = document.as_mut().zip(steps) else { break };
        let enough = told.len() >= PROBLEMS_MAX || taken.count >= looks;
        if enough || !take_out(document, &steps) {
            break;
        }
        taken.note(&way);
        next = read_from::<T, _>(&*document).err();
    }
    told.into_iter().map(|(way, message)| Problem { path: pointer(&way), message }).collect()
}

/// What was taken out.
#[derive(Default)]
struct Taken {
    /// How much.
    count: usize,
    /// Which elements of which lists.
    elements: Vec<(Vec<Step>, usize)>,
}

impl Taken {
    /// The way in the original document to what is found this way now.
    fn original(&self, steps: &[Step]) -> Vec<Step> {
        let mut way: Vec<Step> = Vec::new();
        for step in steps {
            let step = match step {
                Step::Key(_) => step.clone(),
                Step::Index(index) => {
                    let gone = self.elements.iter().filter(|(list, _)| *list == way).map(|(_, index)| *index);
                    let gone: BTreeSet<usize> = gone.collect();
                    Step::Index(
                        gone.into_iter().fold(*index, |index, gone| index + usize::from(gone <= index)),
                    )
                }
            };
            way.push(step);
        }
        way
    }

    fn note(&mut self, way: &[Step]) {
        self.count += 1;
        if let Some((Step::Index(index), list)) = way.split_last() {
            self.elements.push((list.to_vec(), *index));
        }
    }
}

/// Takes one value out of a document, and tells whether it was there. The whole document is not taken.
fn take_out(document: &mut Value, steps: &[Step]) -> bool {
    let Some((last, before)) = steps.split_last() else { return false };
    let mut place = Some(document);
    for step in before {
        place = place.and_then(|place| match step {
            Step::Key(key) => place.get_mut(key),
            Step::Index(index) => place.get_mut(index),
        });
    }
    match (place, last) {
        (Some(Value::Object(members)), Step::Key(key)) => members.remove(key).is_some(),
        (Some(Value::Array(items)), Step::Index(index)) if *index < items.len() => {
            items.remove(*index);
            true
        }
        _ => false,
    }
}

/// A message of the reader without "at line 1 column 7", which is about text that nobody sees.
fn without_place(message: String) -> String {
    match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message,
    }
}

/// A JSON pointer (RFC 6901).
fn pointer(way: &[Step]) -> String {
    let steps = way.iter().map(|step| match step {
        Step::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Step::Index(index) => format!("/{index}"),
    });
    steps.collect()
}

/// For a call that takes no parameters: any JSON object, or null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoParameters;

impl<'de> Deserialize<'de> for NoParameters {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::Null | serde_json::Value::Object(_) => Ok(Self),
            _ => Err(D::Error::custom("a JSON object or null is expected")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn problem<T: DeserializeOwned>(text: &str) -> String {
        parse::<T>(text).map(|_| ()).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_problem_says_where() {
        type Nested = BTreeMap<String, Vec<u8>>;
        assert!(problem::<Nested>(r#"{"a/b": [1, -2]}"#).starts_with("/a~1b/1: invalid value: integer `-2`"));
        assert!(problem::<Nested>("{} {}").starts_with("trailing characters"));
        assert!(problem::<Nested>("{").starts_with("EOF while parsing"));
        assert!(problem::<Nested>("").contains("are missing"));
    }

    #[test]
    fn everything_that_is_wrong_is_told_with_its_place() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only read")]
        struct Wish {
            count: u32,
            racks: Vec<Rack>,
            name: String,
            shape: Option<Shape>,
        }
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "only read")]
        struct Rack {
            id: String,
            slots: Vec<u8>,
        }
        #[derive(Debug, Deserialize)]
        #[expect(dead_code, reason = "only read")]
        enum Shape {
            Round { radius: u32 },
        }
        let text = r#"{
            "count": "two", "nmae": "x", "shape": {"Round": {"radius": true}},
            "racks": [{"id": 7, "slots": []}, {"id": "a", "slots": [1, -1, 2, "x"]}, 5, {"slots": []}]
        }"#;
        let problems = parse::<Wish>(text).unwrap_err();
        let mut told: Vec<(&str, &str)> =
            problems.iter().map(|problem| (problem.path.as_str(), problem.message.as_str())).collect();
        told.sort_unstable();
        let wanted = [
            ("/count", "invalid type: string \"two\", expected u32"),
            ("/nmae", "unknown field `nmae`, expected one of `count`, `racks`, `name`, `shape`"),
            ("/racks/0/id", "invalid type: integer `7`, expected a string"),
            ("/racks/1/slots/1", "invalid value: integer `-1`, expected u8"),
            ("/racks/1/slots/3", "invalid type: string \"x\", expected u8"),
            ("/racks/2", "invalid type: integer `5`, expected struct Rack"),
            ("/racks/3", "missing field `id`"),
            ("/shape/Round/radius", "invalid type: boolean `true`, expected u32"),
        ];
        assert_eq!(told, wanted);
        let problems = parse::<Wish>(r#"{"count": 2, "racks": []}"#).unwrap_err();
        assert_eq!(problems[0].to_string(), "missing field `name`");
    }

    #[test]
    fn there_is_an_end_to_problems() {
        let text = format!("[{}]", vec!["-1"; 1000].join(","));
        let problems = parse::<Vec<u8>>(&text).unwrap_err();
        assert_eq!(problems.len(), PROBLEMS_MAX);
        assert_eq!(problems[99].path, "/99");
    }

    #[test]
    fn the_more_there_is_the_fewer_looks_it_takes() {
        /// How many bytes were looked at.
        static LOOKED_AT: AtomicUsize = AtomicUsize::new(0);
        #[derive(Debug)]
        struct Name;
        impl<'de> Deserialize<'de> for Name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                LOOKED_AT.fetch_add(String::deserialize(deserializer)?.len(), Ordering::Relaxed);
                Ok(Self)
            }
        }
        // The largest parameters there may be, with all that is wrong at the end.
        let text = format!("[{}{}]", r#""aaaaaaaaaa","#.repeat(19_000), vec!["1"; 100].join(","));
        let problems = parse::<Vec<Name>>(&text).unwrap_err();
        assert_eq!((problems.len(), problems[4].path.as_str()), (5, "/19004"));
        let looked_at = LOOKED_AT.load(Ordering::Relaxed);
        assert!(looked_at < SIFTED_BYTES_MAX + text.len(), "{looked_at}");
    }

    #[test]
    fn no_parameters_are_an_object_or_null() {
        for fine in ["null", "{}", r#"{"a": 1}"#] {
            assert_eq!(parse::<NoParameters>(fine), Ok(NoParameters), "{fine}");
        }
        for bad in ["", "[]", "7", "nul"] {
            assert!(parse::<NoParameters>(bad).is_err(), "{bad}");
        }
    }
}
