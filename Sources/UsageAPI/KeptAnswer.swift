import HTTP

/// What is kept of an answer while the revision stands.
struct KeptAnswer: Sendable {
    private let contentType: String
    private let fields: [(name: String, value: String)]
    private let nextCursor: String?
    private let bytes: [UInt8]

    /// What is kept of `answer`, whose whole body is `bytes`.
    init(_ answer: Answer, bytes: [UInt8]) {
        contentType = answer.contentType
        fields = answer.fields
        nextCursor = answer.nextCursor
        self.bytes = bytes
    }

    var answer: Answer {
        Answer(
            contentType: contentType, fields: fields, nextCursor: nextCursor, body: .bytes(bytes))
    }

    /// What it takes in memory: the cursor has up to 3 KB; the fields are short.
    var byteCount: Int { bytes.count + (nextCursor?.utf8.count ?? 0) }
}
