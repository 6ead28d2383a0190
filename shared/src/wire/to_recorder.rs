use super::{Message, ParkingMessage, ResultsMessage, Unreadable, decode};

/// What comes on the queue `linkbeat.results`.
#[derive(Debug, Clone)]
pub enum ToRecorder {
    /// `linkbeat.results/1`
    Results(ResultsMessage),
    /// `linkbeat.parking/1`
    Parking(ParkingMessage),
}

impl ToRecorder {
    /// Reads a message of either schema. Results come first: nearly all are results, and they are read in one pass.
    pub fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        match decode(bytes).map(Self::Results) {
            Err(Unreadable::Foreign { found, .. }) if is_parking(&found) => decode(bytes).map(Self::Parking),
            read => read,
        }
    }
}

/// Of any version.
fn is_parking(schema: &str) -> bool {
    schema.split('/').next() == Some(ParkingMessage::SCHEMA)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::encode;
    use crate::{JobId, RunId};

    #[test]
    fn each_schema_of_the_results_queue_is_told_apart() {
        let parking = ParkingMessage::parked(JobId::new(), "a panic");
        assert!(
            matches!(ToRecorder::decode(&encode(&parking)), Ok(ToRecorder::Parking(read)) if read == parking)
        );
        let results = ResultsMessage::new(RunId::new(), JobId::new(), Vec::new());
        assert!(matches!(ToRecorder::decode(&encode(&results)), Ok(ToRecorder::Results(_))));
        let decode = |json: &str| ToRecorder::decode(json.as_bytes()).unwrap_err();
        assert!(matches!(decode(r#"{"schema":"linkbeat.parking/2"}"#), Unreadable::Newer(_)));
        assert!(matches!(decode(r#"{"schema":"linkbeat.results/2"}"#), Unreadable::Newer(_)));
        assert!(matches!(decode(r#"{"schema":"linkbeat.job/1"}"#), Unreadable::Foreign { .. }));
        assert!(matches!(decode("{}"), Unreadable::NoSchema(_)));
        let padded = format!(r#"{{"schema":"linkbeat.parking/1","cause":"{}"}}"#, "x".repeat(1 << 17));
        assert!(matches!(decode(&padded), Unreadable::TooLarge { .. }));
    }
}
