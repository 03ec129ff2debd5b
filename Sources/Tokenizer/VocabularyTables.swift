import Glibc

/// The tables of a vocabulary in one block of memory; all unsafe access to it is in this file.
///
/// It contains offsets, not addresses, so that it can be written to a file and mapped by any
/// process. Its parts: 2^15 words of 64 bits, 2^16 words of 32 bits, the slots, and bytes. Reads
/// stay in bounds for any content: every index is less than the length of its part, and the last
/// slot is always free.
final class VocabularyTables: @unchecked Sendable {
    /// A slot for a token; it is free if `place` is 0.
    struct Slot: BitwiseCopyable {
        /// The bytes of a token of up to eight bytes, otherwise a hash of them.
        var key: UInt64
        /// The token, which is also its rank: lower ones merge first.
        var token: UInt32
        /// The lowest eight bits are the token's length; the others are the offset of its bytes, if
        /// it has more than eight.
        var place: UInt32
    }

    /// How many slots a hash can select; if a slot is taken, the token is in one of the next slots.
    let slotCount: Int

    /// The capacity in bytes.
    let byteCount: Int

    private static let pairsStart = 1 << 18
    private static let slotsStart = 1 << 19
    /// Slots after the last one that a hash can select.
    private static let spareSlots = 128

    private let base: UnsafeMutableRawPointer
    private let size: Int
    private let bytesStart: Int

    /// Makes empty tables, to be filled before anything else reads them.
    convenience init(for encoding: TokenEncoding) throws(TokenizerError) {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        let memory = mmap(nil, encoding.tables.size, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard let memory, memory != MAP_FAILED else {
            throw TokenizerError(
                path: encoding.rawValue, reason: "does not fit into memory: \(systemReason())")
        }
        self.init(memory, encoding)
    }

    /// Maps the file that `prepare` wrote; its pages are shared with all processes that map it.
    ///
    /// Throws if it cannot be read or differs in any byte. A file in use must be replaced by
    /// renaming, never overwritten.
    convenience init(
        mapping path: String, for encoding: TokenEncoding
    ) throws(TokenizerError) {
        let size = encoding.tables.size
        let descriptor = try openFile(path)
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
            status.st_size == size
        else {
            throw TokenizerError(path: path, reason: "is not a file of \(size) bytes")
        }
        let memory = mmap(nil, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, descriptor, 0)
        guard let memory, memory != MAP_FAILED else {
            throw TokenizerError(path: path, reason: "cannot be mapped: \(systemReason())")
        }
        self.init(memory, encoding)
        guard checksum == encoding.tables.checksum, slot(lastSlot).place == 0 else {
            throw TokenizerError(
                path: path, reason: "is not the prepared \(encoding.rawValue) of this version")
        }
    }

    private init(_ base: UnsafeMutableRawPointer, _ encoding: TokenEncoding) {
        self.base = base
        size = encoding.tables.size
        slotCount = 2 * encoding.file.tokens
        bytesStart =
            Self.slotsStart + (slotCount + Self.spareSlots) * MemoryLayout<Slot>.stride
        byteCount = size - bytesStart
    }

    deinit { munmap(base, size) }

    private var lastSlot: Int { slotCount + Self.spareSlots - 1 }

    /// The whole memory, as bytes.
    var contents: [UInt8] { Array(UnsafeRawBufferPointer(start: base, count: size)) }

    /// Combines eight sums, each over every eighth word: takes 1 ms for 8 MB.
    var checksum: UInt64 {
        let prime: UInt64 = 0x9e37_79b9_7f4a_7c15
        var sums = SIMD8<UInt64>(repeating: prime)
        for offset in stride(from: 0, to: size, by: 64) {
            sums = (sums ^ base.load(fromByteOffset: offset, as: SIMD8<UInt64>.self)) &* prime
            sums ^= sums &>> 32
        }
        return (0..<8).reduce(prime) { ($0 ^ sums[$1]) &* prime }
    }

    // MARK: Lookup

    @inline(__always)
    func hashes(_ index: Int) -> UInt64 {
        assert(index >= 0 && index < 1 << 15)
        return base.load(fromByteOffset: index << 3, as: UInt64.self)
    }

    @inline(__always)
    func pair(_ index: Int) -> UInt32 {
        assert(index >= 0 && index < 1 << 16)
        return base.load(fromByteOffset: Self.pairsStart + index << 2, as: UInt32.self)
    }

    @inline(__always)
    func slot(_ index: Int) -> Slot {
        assert(index >= 0 && index <= lastSlot)
        return base.load(fromByteOffset: Self.slotsStart + index << 4, as: Slot.self)
    }

    /// Whether the bytes of a range of `text` are those at `offset`.
    @inline(__always)
    func equals(_ text: ByteText, _ range: Range<Int>, at offset: Int) -> Bool {
        guard offset + range.count <= byteCount else { return false }
        return text.equals(range, base + bytesStart + offset)
    }

    // MARK: Filling

    func addHash(_ index: Int, bit: UInt64) {
        base.storeBytes(of: hashes(index) | 1 << bit, toByteOffset: index << 3, as: UInt64.self)
    }

    func setPair(_ index: Int, _ token: UInt32) {
        base.storeBytes(
            of: token, toByteOffset: Self.pairsStart + index << 2, as: UInt32.self)
    }

    /// Stores a slot at a free index; false for the last index, which stays free.
    func setSlot(_ index: Int, _ slot: Slot) -> Bool {
        guard index < lastSlot else { return false }
        base.storeBytes(of: slot, toByteOffset: Self.slotsStart + index << 4, as: Slot.self)
        return true
    }

    /// Stores the bytes of `text` at `offset`; false if they do not fit.
    func setBytes(_ offset: Int, _ text: ByteText) -> Bool {
        guard offset + text.count <= byteCount else { return false }
        for position in 0..<text.count {
            base.storeBytes(
                of: text[position], toByteOffset: bytesStart + offset + position, as: UInt8.self)
        }
        return true
    }
}
