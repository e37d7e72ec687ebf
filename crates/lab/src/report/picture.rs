//! A plot that stands by itself, in a file beside a page that is not the lab's: a figure of several brokers, in one or more runs.

use super::looks::Looks;
use super::plot::{Axis, DotRow, Mark, Panel, Words, dots_alone};
use crate::spread::Spread;

/// What is shown.
#[derive(Debug, Clone)]
pub struct Picture<'a> {
    /// Of what.
    pub title: &'a str,
    /// The figure, with its unit. Its axis begins at zero.
    pub figure: &'a str,
    /// Each broker with what its rounds came to in each run, as far as it was measured: the first is what others are compared with.
    pub brokers: &'a [(String, Vec<Option<Spread>>)],
}

/// Draws it as SVG, in colours that follow the reader's theme: a row for each broker, in it a mark for each run, the first above.
///
/// # Errors
/// The drawing library's.
pub fn picture(picture: &Picture<'_>) -> anyhow::Result<String> {
    let Picture { title, figure, brokers } = picture;
    let reference = brokers.first().map(|(name, _)| name.as_str());
    let looks = Looks::new(brokers.iter().map(|(name, _)| name.as_str()), reference);
    let row = |(name, runs): &(String, Vec<Option<Spread>>)| {
        let look = looks.of(name);
        // What was not measured has no place, and keeps its lane.
        let mark = |spread: &Option<Spread>| match spread {
            Some(Spread { min, median, max }) => {
                Mark { look, at: *median, bar: (min < max).then_some((*min, *max)) }
            }
            None => Mark { look, at: f64::NAN, bar: None },
        };
        DotRow { name: name.clone(), marks: runs.iter().map(mark).collect() }
    };
    let largest = brokers.iter().flat_map(|(_, runs)| runs.iter().flatten()).map(|spread| spread.max);
    let words = Words {
        id: "picture".to_owned(),
        title: format!("{title}: {figure}"),
        description: "A row for each broker, a mark for each run at the median of its rounds, a bar from their least to their \
                      largest."
            .to_owned(),
    };
    let rows = brokers.iter().map(row).collect();
    dots_alone(&words, &Panel { axis: Axis::from_zero(figure, largest), rows })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(ours: f64, theirs: f64) -> String {
        let spread = |median: f64| Some(Spread { min: median * 0.9, median, max: median * 1.1 });
        let brokers = [
            ("ours <1>".to_owned(), vec![spread(ours), None]),
            ("theirs".to_owned(), vec![spread(theirs); 2]),
        ];
        picture(&Picture { title: "produce", figure: "CPU s/GB", brokers: &brokers }).unwrap()
    }

    /// How often this begins an element.
    fn count(svg: &str, element: &str) -> usize {
        svg.matches(&format!("<{element} ")).count()
    }

    #[test]
    fn a_picture_is_a_file_of_its_own_with_a_ground_and_both_themes() {
        let svg = drawn(1.0, 2.0);
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{svg}");
        assert!(svg.contains("prefers-color-scheme:dark") && svg.contains("<rect width=\"100%\""));
        assert!(svg.contains("ours &lt;1&gt;") && svg.contains("CPU s/GB"));
        assert_eq!((svg.matches("<svg").count(), svg.matches("</svg>").count()), (1, 1));
    }

    #[test]
    fn each_run_has_its_mark_and_who_loses_is_drawn_as_who_wins() {
        let (wins, loses) = (drawn(1.0, 2.0), drawn(2.0, 1.0));
        // The first broker's marks are discs, and it was measured in one run of two.
        for svg in [&wins, &loses] {
            assert_eq!(count(svg, "circle"), 1, "{svg}");
        }
        assert_eq!(
            ["circle", "polygon", "polyline"].map(|kind| count(&wins, kind)),
            ["circle", "polygon", "polyline"].map(|kind| count(&loses, kind))
        );
    }
}
