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

    /// The most bytes that one item may have.
    static let limitBytes = 8 << 20

    static let tooLong = MessageFault("the message is longer than 8 MiB")
}
