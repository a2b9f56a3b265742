//! Charts out of characters: a row of columns, and bars beside words.

const COLUMNS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const PARTS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// One column for each value, as high as it is beside the largest. Nothing is a blank.
pub(super) fn columns(values: &[f64]) -> String {
    let most = values.iter().copied().fold(0.0, f64::max);
    let column = |value: &f64| match *value {
        value if value <= 0.0 || most <= 0.0 => ' ',
        value => {
            let step = (value / most * COLUMNS.len() as f64).ceil() as usize;
            COLUMNS[step.clamp(1, COLUMNS.len()) - 1]
        }
    };
    values.iter().map(column).collect()
}

/// A bar of at most `room` columns, as long as the value is beside `most`.
pub(super) fn bar(value: f64, most: f64, room: usize) -> String {
    if value <= 0.0 || most <= 0.0 {
        return String::new();
    }
    let eighths = (value / most * room as f64 * 8.0).round() as usize;
    let eighths = eighths.clamp(1, room * 8);
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(PARTS[eighths % 8 - 1]);
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_high_as_their_values() {
        assert_eq!(columns(&[0.0, 1.0, 4.0, 8.0]), " ▁▄█");
        assert_eq!(columns(&[0.0, 0.0]), "  ");
        assert_eq!(columns(&[]), "");
        assert_eq!(columns(&[0.001, 1000.0]), "▁█");
    }

    #[test]
    fn bars_fill_their_room_and_never_more() {
        assert_eq!(bar(4.0, 4.0, 3), "███");
        assert_eq!(bar(2.0, 4.0, 3), "█▌");
        assert_eq!(bar(0.000_1, 4.0, 3), "▏");
        assert_eq!(bar(0.0, 4.0, 3), "");
        assert_eq!(bar(9.0, 4.0, 3), "███");
    }
}
