import HTTP
import Spool

/// What is kept of an answer while the revision stands.
struct KeptAnswer: Sendable {
    enum Body {
        case bytes([UInt8])
        case file(SpooledFile)
    }

    private let contentType: String
    private let fields: [(name: String, value: String)]
    private let nextCursor: String?
    let body: Body

    /// What is kept of `answer`, whose whole body is `body`.
    init(_ answer: Answer, body: Body) {
        contentType = answer.contentType
        fields = answer.fields
        nextCursor = answer.nextCursor
        self.body = body
    }

    var answer: Answer {
        var answer = Answer(
            contentType: contentType, fields: fields, nextCursor: nextCursor, body: .bytes([]))
        switch body {
        case .bytes(let bytes): answer.body = .bytes(bytes)
        case .file(let file): answer.file = file
        }
        return answer
    }

    /// Whether the web server is to send it.
    var isFile: Bool {
        if case .file = body { return true }
        return false
    }

    /// What it takes in memory: the cursor has up to 3 KB; the fields are short.
    var byteCount: Int {
        guard case .bytes(let bytes) = body else { return 0 }
        return bytes.count + (nextCursor?.utf8.count ?? 0)
    }
}
