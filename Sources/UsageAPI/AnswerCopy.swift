import Spool

/// A copy of an answer while it is sent: in memory, or, when it gets longer than `limit`, in a file.
struct AnswerCopy {
    /// The copy in memory; nil when it got too long.
    private(set) var bytes: [UInt8]? = []

    /// The copy in a file, once it is one.
    private(set) var file: SpoolWriter?

    private let limit: Int
    private let makeFile: () -> SpoolWriter?

    init(limit: Int, makeFile: @escaping () -> SpoolWriter?) {
        self.limit = limit
        self.makeFile = makeFile
    }

    mutating func append(_ more: ArraySlice<UInt8>) {
        if let count = bytes?.count, count + more.count <= limit {
            bytes? += more
            return
        }
        if let bytes {
            file = makeFile()
            file?.append(bytes.span)
            self.bytes = nil
        }
        file?.append(more.span)
    }
}
