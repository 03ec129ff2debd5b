/// A buffer of fixed size that a streamed body is written into, piece by piece.
public final class BodyWriter {
    /// The buffer; its first `count` bytes are written but not yet sent.
    ///
    /// Not checked at run time for two uses at once: that cost 4 % of an encoded record.
    @exclusivity(unchecked) public var buffer: [UInt8]

    /// How many bytes of the buffer are in use.
    @exclusivity(unchecked) public var count = 0

    /// Takes what is sent from here on as well.
    public var copy: ((ArraySlice<UInt8>) -> Void)?

    private let send: (Span<UInt8>) throws -> Void

    /// The size of the buffer: what one FastCGI record can carry.
    public static let capacity = 65_535

    /// Makes a writer that hands full buffers to `send`.
    public init(send: @escaping (Span<UInt8>) throws -> Void) {
        buffer = [UInt8](repeating: 0, count: Self.capacity)
        self.send = send
    }

    /// Sends what is written unless `length` more bytes fit; traps above the capacity.
    public func makeRoom(_ length: Int) throws {
        if count + length <= Self.capacity { return }
        precondition(length <= Self.capacity, "no buffer holds \(length) bytes at once")
        try flush()
    }

    /// Appends `bytes`, however many they are.
    public func append(_ bytes: some Collection<UInt8>) throws {
        for byte in bytes {
            if count == Self.capacity { try flush() }
            buffer[count] = byte
            count += 1
        }
    }

    /// Sends what is written.
    public func flush() throws {
        guard count > 0 else { return }
        let bytes = buffer
        let written = bytes.span
        try send(written.extracting(0..<count))
        copy?(bytes[..<count])
        count = 0
    }
}
