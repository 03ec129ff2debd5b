import ArgumentParser

/// How a file of messages is written.
enum Format: String, ExpressibleByArgument, CaseIterable {
    /// One JSON object a line.
    case ndjson
    /// One JSON array of objects.
    case json
    /// RFC 4180, with a header row.
    case csv

    /// Finds out from the first byte that is no blank.
    init(sniffing input: Input) throws {
        switch try input.peekAfterBlanks() {
        case UInt8(ascii: "["): self = .json
        case UInt8(ascii: "{"), nil: self = .ndjson
        default: self = .csv
        }
    }
}
