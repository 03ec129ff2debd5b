/// The output buffer of a streamed body, of fixed size.
public final class BodyWriter {
    /// The buffer; its first `count` bytes are written but not yet sent.
    ///
    /// Exclusivity is not checked at run time, which would cost 4 % of an encoded record.
    @exclusivity(unchecked) public var buffer: [UInt8]

    /// The number of bytes in use.
    @exclusivity(unchecked) public var count = 0

    /// Receives a copy of all bytes that are sent from now on.
    public var copy: ((ArraySlice<UInt8>) -> Void)?

    private let send: (Span<UInt8>) throws -> Void

    /// The size of the buffer: the maximum content of a FastCGI record.
    public static let capacity = 65_535

    /// Makes a writer that passes full buffers to `send`.
    public init(send: @escaping (Span<UInt8>) throws -> Void) {
        buffer = [UInt8](repeating: 0, count: Self.capacity)
        self.send = send
    }

    /// Flushes the buffer unless `length` more bytes fit; traps if they exceed the capacity.
    public func makeRoom(_ length: Int) throws {
        if count + length <= Self.capacity { return }
        precondition(length <= Self.capacity, "no buffer holds \(length) bytes at once")
        try flush()
    }

    /// Appends any number of `bytes`.
    public func append(_ bytes: some Collection<UInt8>) throws {
        for byte in bytes {
            if count == Self.capacity { try flush() }
            buffer[count] = byte
            count += 1
        }
    }

    /// Sends the bytes in the buffer.
    public func flush() throws {
        guard count > 0 else { return }
        let bytes = buffer
        let written = bytes.span
        try send(written.extracting(0..<count))
        copy?(bytes[..<count])
        count = 0
    }
}
