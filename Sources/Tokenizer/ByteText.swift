import Glibc

/// Borrowed UTF-8, read by position; the tokenizer's unsafe code is in this file and in
/// `VocabularyTables.swift`.
///
/// Nothing is checked: positions are inside the text, and a scalar's position is that of its first byte.
struct ByteText {
    private let base: UnsafeRawPointer

    /// Its size in bytes.
    let count: Int

    fileprivate init(_ buffer: UnsafeRawBufferPointer) {
        // An empty buffer may have no address; none of its bytes is ever read.
        base = buffer.baseAddress ?? UnsafeRawPointer(bitPattern: -1).unsafelyUnwrapped
        count = buffer.count
    }

    @inline(__always)
    subscript(position: Int) -> UInt8 {
        assert(position >= 0 && position < count)
        return base.load(fromByteOffset: position, as: UInt8.self)
    }

    /// One to eight bytes as a number, the first byte the lowest.
    @inline(__always)
    func word(at position: Int, _ length: Int) -> UInt64 {
        assert(position >= 0 && length > 0 && position + length <= count)
        if position + 8 <= count {
            let word = base.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            return UInt64(littleEndian: word) & (UInt64.max >> UInt64(64 - 8 * length))
        }
        var word: UInt64 = 0
        for offset in 0..<length { word |= UInt64(self[position + offset]) << UInt64(8 * offset) }
        return word
    }

    /// The scalar at a position and its length in bytes.
    @inline(__always)
    func scalar(at position: Int) -> (value: Int, length: Int) {
        let first = Int(self[position])
        if first < 0x80 { return (first, 1) }
        let second = Int(self[position + 1]) & 0x3f
        if first < 0xe0 { return ((first & 0x1f) << 6 | second, 2) }
        let third = Int(self[position + 2]) & 0x3f
        if first < 0xf0 { return ((first & 0xf) << 12 | second << 6 | third, 3) }
        let fourth = Int(self[position + 3]) & 0x3f
        return ((first & 0x7) << 18 | second << 12 | third << 6 | fourth, 4)
    }

    /// Whether the bytes of `range` equal those that start at `other`.
    @inline(__always)
    func equals(_ range: Range<Int>, _ other: UnsafeRawPointer) -> Bool {
        memcmp(base + range.lowerBound, other, range.count) == 0
    }

    /// Whether the bytes of `range` equal those that start at the position `other`.
    @inline(__always)
    func equals(_ range: Range<Int>, _ other: Int) -> Bool {
        assert(other >= 0 && other + range.count <= count)
        return equals(range, base + other)
    }
}

/// Lends the bytes of `text`.
@inline(__always)
func withBytes<Result>(of text: String, _ body: (ByteText) -> Result) -> Result {
    var text = text
    return text.withUTF8 { body(ByteText(UnsafeRawBufferPointer($0))) }
}

/// Lends `bytes`.
func withBytes<Result>(of bytes: [UInt8], _ body: (ByteText) -> Result) -> Result {
    bytes.withUnsafeBytes { body(ByteText($0)) }
}

/// The bytes of a file whose size must be `size`.
func contents(of path: String, size: Int) throws(TokenizerError) -> [UInt8] {
    let descriptor = try openFile(path)
    defer { close(descriptor) }
    var failure: String?
    // Reads one byte more, to detect a larger file.
    let bytes = [UInt8](unsafeUninitializedCapacity: size + 1) { buffer, count in
        while count < buffer.count {
            let read = Glibc.read(
                descriptor, buffer.baseAddress.map { $0 + count }, buffer.count - count)
            if read < 0, errno == EINTR { continue }
            if read < 0 { failure = systemReason() }
            if read <= 0 { return }
            count += read
        }
    }
    if let failure { throw TokenizerError(path: path, reason: "cannot be read: \(failure)") }
    guard bytes.count == size else {
        throw TokenizerError(
            path: path, reason: "has \(bytes.count > size ? "more" : "less") than \(size) bytes")
    }
    return bytes
}

/// Opens a file to read it; the caller closes the descriptor.
///
/// Does not block, even if the path is a named pipe.
func openFile(_ path: String) throws(TokenizerError) -> Int32 {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
        throw TokenizerError(path: path, reason: "cannot be opened: \(systemReason())")
    }
    return descriptor
}

/// The system's message for the last error.
func systemReason() -> String { String(cString: strerror(errno)) }
