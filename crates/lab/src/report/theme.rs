//! The colours of the page, light and dark: one table, from which the style sheet's variables and the plots' rules are
//! made.
//!
//! A plot is drawn in the light colours. Rules in the page replace each of them by its variable, so that one drawing
//! follows the reader's theme: `[fill="#0067A5"] { fill: var(--series-1) }`. Without a style sheet the drawing is the
//! light one. So no two light colours may be the same.
//!
//! Contrast, WCAG 2 AA (a test computes it): text 4.5 to 1 on the surface, marks 3 to 1. The series are told apart by
//! people who see no red or no green, and by their markers without any colour.

use std::fmt::Write as _;

use plotters::style::RGBColor;

/// A colour by its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ink {
    /// The variable's name, without the dashes.
    name: &'static str,
    light: (u8, u8, u8),
    dark: (u8, u8, u8),
}

const fn ink(name: &'static str, light: u32, dark: u32) -> Ink {
    Ink { name, light: parts(light), dark: parts(dark) }
}

const fn parts(rgb: u32) -> (u8, u8, u8) {
    let [_, red, green, blue] = rgb.to_be_bytes();
    (red, green, blue)
}

/// What everything lies on.
pub(super) const SURFACE: Ink = ink("surface", 0xFF_FFFF, 0x14_171C);
/// Boxes, heads of tables.
const RAISED: Ink = ink("raised", 0xF4_F5F7, 0x1E_232B);
/// Text.
pub(super) const TEXT: Ink = ink("text", 0x1B_1F24, 0xE6_E9EE);
/// Text that matters less.
pub(super) const MUTED: Ink = ink("muted", 0x56_5D66, 0xA8_B0BB);
/// Lines behind a plot; borders.
pub(super) const GRID: Ink = ink("grid", 0xD9_DDE2, 0x34_3B45);
const LINK: Ink = ink("link", 0x00_54A6, 0x7C_B7FF);
const GOOD: Ink = ink("good", 0x0B_6E4F, 0x5F_D3A6);
const BAD: Ink = ink("bad", 0xA8_2A12, 0xFF_9B7D);

/// What series are drawn in, one after another. The first is for what others are compared with.
pub(super) const SERIES: [Ink; 8] = [
    ink("series-0", 0x1A_1A1A, 0xF2_F2F2),
    ink("series-1", 0x00_67A5, 0x4F_A8F0),
    ink("series-2", 0xC8_5200, 0xFF_9445),
    ink("series-3", 0x00_8560, 0x2F_CB9B),
    ink("series-4", 0xA8_3F7F, 0xEE_9CCB),
    ink("series-5", 0x8A_6A00, 0xE8_C547),
    ink("series-6", 0x5B_4BB5, 0xB3_A6FF),
    ink("series-7", 0x2E_7D91, 0x86_DCEF),
];

const PAGE: [Ink; 8] = [SURFACE, RAISED, TEXT, MUTED, GRID, LINK, GOOD, BAD];

impl Ink {
    /// What the plots are drawn with.
    pub(super) const fn drawn(self) -> RGBColor {
        let (red, green, blue) = self.light;
        RGBColor(red, green, blue)
    }
}

fn hex((red, green, blue): (u8, u8, u8)) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// The variables of both themes and the rules by which plots follow them. Paper is light.
pub(super) fn rules() -> String {
    let inks = || PAGE.iter().chain(&SERIES);
    let variables = |value: fn(&Ink) -> (u8, u8, u8)| {
        inks().fold(String::new(), |mut css, ink| {
            // Writing to a string does not fail.
            let _ = write!(css, "--{}:{};", ink.name, hex(value(ink)));
            css
        })
    };
    let mut css = format!(":root{{{}}}\n", variables(|ink| ink.light));
    let _ = writeln!(
        css,
        "@media screen and (prefers-color-scheme:dark){{:root{{{}}}}}",
        variables(|ink| ink.dark)
    );
    for ink in inks() {
        let (drawn, name) = (hex(ink.light), ink.name);
        let _ = writeln!(
            css,
            "svg [fill=\"{drawn}\"]{{fill:var(--{name})}}svg [stroke=\"{drawn}\"]{{stroke:var(--{name})}}"
        );
    }
    css
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The relative luminance of WCAG 2.
    fn luminance((red, green, blue): (u8, u8, u8)) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    fn contrast(one: (u8, u8, u8), other: (u8, u8, u8)) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn text_has_contrast_in_both_themes() {
        for text in [TEXT, MUTED, LINK, GOOD, BAD] {
            for ground in [SURFACE, RAISED] {
                assert!(contrast(text.light, ground.light) >= 4.5, "{} on light {}", text.name, ground.name);
                assert!(contrast(text.dark, ground.dark) >= 4.5, "{} on dark {}", text.name, ground.name);
            }
        }
    }

    #[test]
    fn marks_have_contrast_in_both_themes() {
        for mark in SERIES {
            assert!(contrast(mark.light, SURFACE.light) >= 3.0, "light {}", mark.name);
            assert!(contrast(mark.dark, SURFACE.dark) >= 3.0, "dark {}", mark.name);
        }
    }

    #[test]
    fn a_drawn_colour_means_one_role() {
        let mut drawn: Vec<_> = PAGE.iter().chain(&SERIES).map(|ink| ink.light).collect();
        drawn.sort_unstable();
        drawn.dedup();
        assert_eq!(drawn.len(), PAGE.len() + SERIES.len());
    }
}
