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

    /// The one of `formats`, of which there are several, that `format`, or otherwise `Accept`,
    /// requests.
    ///
    /// Nil for another `format`, which also adds a fault, and if `Accept` allows none of them.
    static func negotiated(
        _ request: Request, _ parameters: inout Parameters, of formats: [RecordFormat] = allCases
    ) -> RecordFormat? {
        let names = formats.map(\.rawValue)
        let list = "\(names.dropLast().joined(separator: ", ")) or \(names.last ?? "")"
        let asked = parameters.value("format", expected: list) { text in
            formats.first { $0.rawValue == text }
        }
        if parameters.given("format") != nil { return asked }
        let best = MediaPreferences(request.accept).best(of: formats.map(\.mediaType))
        return formats.first { $0.mediaType == best }
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
