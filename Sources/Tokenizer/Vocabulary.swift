/// The tokens of an encoding, found by their bytes.
struct Vocabulary: Sendable {
    /// Returned by `token` for bytes that are not a token; as a rank, a pair that never merges.
    static let none = UInt32.max

    /// The length of the longest token of either encoding, in bytes.
    static let longest = 128

    private typealias Slot = VocabularyTables.Slot

    /// Beside the slots, they have the tokens of two bytes, indexed by these as a little-endian
    /// number; and a Bloom filter of the tokens' hashes, small enough for the CPU's cache, which
    /// rules out most bytes that are not a token.
    let tables: VocabularyTables

    /// The size of all added tokens in bytes.
    private var usedBytes = 0

    /// Uses the tokens that are in `tables`.
    init(_ tables: VocabularyTables) { self.tables = tables }

    /// Makes a vocabulary without tokens.
    init(emptyFor encoding: TokenEncoding) throws(TokenizerError) {
        tables = try VocabularyTables(for: encoding)
        for index in 0..<1 << 16 { tables.setPair(index, Self.none) }
    }

    /// Adds a token of 1 to 128 bytes; false if it exists already or is too long.
    mutating func add(_ token: UInt32, _ text: ByteText) -> Bool {
        let range = 0..<text.count
        guard !range.isEmpty, range.count <= Self.longest else { return false }
        let key = Self.key(text, range)
        let hash = Self.hash(key, range.count)
        tables.addHash(Int(hash >> 49), bit: hash >> 43 & 63)
        var index = index(hash)
        while true {
            let slot = tables.slot(index)
            if slot.place == 0 { break }
            if matches(slot, key, text, range) { return false }
            index += 1
        }
        var place = UInt32(text.count)
        if text.count > 8 {
            guard tables.setBytes(usedBytes, text) else { return false }
            place |= UInt32(usedBytes) << 8
            usedBytes += text.count
        }
        if text.count == 2 { tables.setPair(Int(text.word(at: 0, 2)), token) }
        return tables.setSlot(index, Slot(key: key, token: token, place: place))
    }

    /// The token with exactly the bytes of a range, which must not be empty; `none` if there is none.
    @inline(__always)
    func token(_ text: ByteText, _ range: Range<Int>) -> UInt32 {
        if range.count > Self.longest { return Self.none }
        let key = Self.key(text, range)
        let hash = Self.hash(key, range.count)
        if tables.hashes(Int(hash >> 49)) >> (hash >> 43 & 63) & 1 == 0 { return Self.none }
        var index = index(hash)
        while true {
            let slot = tables.slot(index)
            if slot.place == 0 { return Self.none }
            if matches(slot, key, text, range) { return slot.token }
            index += 1
        }
    }

    /// The token of the byte at a position and the next one; `none` if there is none.
    @inline(__always)
    func token(_ text: ByteText, byteAndNext position: Int) -> UInt32 {
        tables.pair(Int(text[position]) | Int(text[position + 1]) << 8)
    }

    @inline(__always)
    private func matches(_ slot: Slot, _ key: UInt64, _ text: ByteText, _ range: Range<Int>) -> Bool
    {
        slot.key == key && Int(slot.place & 0xff) == range.count
            && (range.count <= 8 || tables.equals(text, range, at: Int(slot.place >> 8)))
    }

    @inline(__always)
    private static func key(_ text: ByteText, _ range: Range<Int>) -> UInt64 {
        if range.count <= 8 { return text.word(at: range.lowerBound, range.count) }
        var key: UInt64 = 0
        var position = range.lowerBound
        while position < range.upperBound {
            let length = min(8, range.upperBound - position)
            key = (key ^ text.word(at: position, length)) &* 0x9e37_79b9_7f4a_7c15
            key ^= key >> 29
            position += length
        }
        return key
    }

    @inline(__always)
    private static func hash(_ key: UInt64, _ length: Int) -> UInt64 {
        (key ^ UInt64(truncatingIfNeeded: length) << 56) &* 0x9e37_79b9_7f4a_7c15
    }

    @inline(__always)
    private func index(_ hash: UInt64) -> Int {
        Int(truncatingIfNeeded: hash.multipliedFullWidth(by: UInt64(tables.slotCount)).high)
    }
}
