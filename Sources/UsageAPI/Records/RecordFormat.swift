import HTTP
import Usage

/// A format of usage records.
package enum RecordFormat: String, CaseIterable {
    /// One object with an array of records.
    case json
    /// A table for spreadsheets (RFC 4180).
    case csv
    /// One JSON object per line.
    case ndjson

    /// The media type without parameters.
    var mediaType: String {
        switch self {
        case .json: "application/json"
        case .csv: "text/csv"
        case .ndjson: "application/x-ndjson"
        }
    }

    /// The value of `Content-Type`.
    var contentType: String { self == .csv ? "text/csv; charset=utf-8" : mediaType }

    /// The bytes before records with `columns`.
    func opening(_ columns: [UsageRecord.Column]) -> [UInt8] {
        switch self {
        case .json: Array(#"{"usage":["#.utf8)
        case .csv: Array((columns.map(\.name).joined(separator: ",") + "\r\n").utf8)
        case .ndjson: []
        }
    }

    /// The bytes after the records; JSON includes the next page's cursor.
    func closing(nextCursor: String?) -> [UInt8] {
        guard self == .json else { return [] }
        return Array((nextCursor.map { #"],"next_cursor":"\#($0)"}"# } ?? "]}").utf8)
    }

    /// The format that `format`, or otherwise `Accept`, requests.
    ///
    /// Nil for an unknown `format`, which also adds a fault, and if `Accept` allows no format.
    static func negotiated(
        _ request: Request, _ parameters: inout Parameters
    ) -> RecordFormat? {
        let isGiven = QueryString(request.query).parameters.contains { $0.name == "format" }
        let asked = parameters.value("format", expected: "json, csv or ndjson", Self.init)
        if isGiven { return asked }
        let best = MediaPreferences(request.accept).best(of: allCases.map(\.mediaType))
        return allCases.first { $0.mediaType == best }
    }
}

extension Problem {
    /// The 406 for a client that accepts none of `mediaTypes`.
    static func notAcceptable(_ mediaTypes: [String]) -> Problem {
        let list = mediaTypes.joined(separator: ", ")
        return Problem(
            .notAcceptable, "Available media types: \(list).",
            faults: [
                Fault(
                    in: "header", name: "Accept", code: .notAcceptable,
                    message: "Accept must allow one of \(list).")
            ])
    }
}
