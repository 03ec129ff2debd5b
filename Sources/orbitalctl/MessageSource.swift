import Usage

/// A file of messages, read one at a time.
protocol MessageSource {
    /// The next item; nil after the last. Throws when the rest of the file cannot be read.
    mutating func next() throws -> SourceItem?
}

/// One item of a file: a message, or why it is none.
struct SourceItem {
    /// The line that it begins at, from 1.
    let line: Int

    /// Its text as it stands in the file; cut at the limit.
    let raw: [UInt8]

    let content: Result<Message, MessageFault>

    /// The most bytes that one item may have: the longest text with every byte escaped.
    static let limitBytes = 64 << 20

    /// The most bytes of a longer one that are kept, to show it by.
    static let shownBytes = 1024

    static let tooLong = MessageFault("the message is longer than 64 MiB")
}
