/// Bytes with a unit that fits.
pub(crate) fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut left, mut unit) = (bytes as f64, 0);
    while left >= 1_024.0 && unit + 1 < units.len() {
        left /= 1_024.0;
        unit += 1;
    }
    let places = usize::from(unit > 0);
    format!("{left:.places$} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_fitting_units() {
        assert_eq!(
            [size(0), size(1_023), size(1_536), size(5 << 30)],
            ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]
        );
    }
}
