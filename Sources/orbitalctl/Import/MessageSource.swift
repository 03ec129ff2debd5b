import ArgumentParser
import Encoding
import MessageReader
import Usage

/// A file of messages, read one at a time.
protocol MessageSource {
    /// The next item; nil after the last. Throws when the rest of the file cannot be read.
    mutating func next() throws -> SourceItem?
}

/// One item of a file.
struct SourceItem {
    /// Its first line, from 1.
    let line: Int

    /// Its text in the file, truncated at the limit.
    let raw: [UInt8]

    let content: Content

    /// The content of an item.
    enum Content {
        /// A message, or its faults.
        case message(MessageItem)
        /// A rate, which comes before the messages of an export.
        case rate(RateItem)
    }
}

extension SourceItem {
    /// An item that is JSON.
    init(line: Int, json: LimitedBytes) {
        self.line = line
        raw = json.bytes
        if json.isTooLong {
            content = .message(MessageItem(Self.tooLong))
            return
        }
        let item = JSONItem(json.bytes)
        content =
            RateItem.isRate(item) ? .rate(RateItem(item)) : .message(MessageItem(item, .file))
    }

    static let tooLong = MessageFault(
        "", .tooLong, "The message is longer than 64 MiB.")
}

/// One JSON object a line; blank lines are skipped.
struct NDJSONSource: MessageSource {
    let input: Input

    mutating func next() throws -> SourceItem? {
        guard try input.peekAfterBlanks() != nil else { return nil }
        let number = input.line
        var line = LimitedBytes()
        try input.read(until: { $0 == UInt8(ascii: "\n") }, { line.append($0) })
        return SourceItem(line: number, json: line)
    }
}

/// The format of a file of messages.
enum Format: String, ExpressibleByArgument, CaseIterable {
    /// One JSON object a line.
    case ndjson
    /// One JSON array of objects.
    case json
    /// RFC 4180, with a header row.
    case csv

    /// Detects the format from the first byte that is not white space.
    init(sniffing input: Input) throws {
        switch try input.peekAfterBlanks() {
        case UInt8(ascii: "["): self = .json
        case UInt8(ascii: "{"), nil: self = .ndjson
        default: self = .csv
        }
    }
}
