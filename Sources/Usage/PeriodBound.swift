/// One end of a range of time, as it was asked for.
public enum PeriodBound: Hashable, Sendable {
    /// An instant.
    case instant(Timestamp)
    /// The start of a day, which only a time zone makes an instant.
    case day(CivilDate)

    /// Reads RFC 3339 with an offset, or a date; nil for anything else.
    public init?(_ text: String) {
        if let date = CivilDate(text) {
            self = .day(date)
        } else if let instant = Timestamp(text) {
            self = .instant(instant)
        } else {
            return nil
        }
    }
}
