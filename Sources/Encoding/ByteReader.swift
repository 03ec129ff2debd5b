/// Bytes that are read in order, such as those of a file.
public protocol ByteReader {
    /// The line of the next byte, from 1.
    var line: Int { get }

    /// The next byte without taking it; nil at the end.
    func peek() throws -> UInt8?

    /// Takes the next byte; nil at the end.
    func next() throws -> UInt8?

    /// Reads up to the first byte that equals one of two, or to the end, and passes the bytes to
    /// `take` in pieces.
    func read(
        until first: UInt8, or second: UInt8, _ take: (ArraySlice<UInt8>) -> Void
    ) throws
}

/// The bytes of one item of a file, up to a size limit.
public struct LimitedBytes {
    /// The bytes; of an item that is too long, the first ones, to show it.
    public private(set) var bytes: [UInt8] = []

    /// Whether there were more bytes than an item may have.
    public private(set) var isTooLong = false

    /// The most bytes of an item: the longest text with every byte escaped.
    private static let limit = 64 << 20

    private static let shownCount = 1024

    /// Makes an item without bytes.
    public init() {}

    /// Appends `piece`; nothing if the item is already too long.
    public mutating func append(_ piece: ArraySlice<UInt8>) {
        guard !isTooLong else { return }
        bytes += piece
        guard bytes.count > Self.limit else { return }
        isTooLong = true
        bytes = Array(bytes.prefix(Self.shownCount))
    }

    /// Appends one byte.
    public mutating func append(_ byte: UInt8) { append([byte]) }
}
