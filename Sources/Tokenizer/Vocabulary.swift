/// The tokens of an encoding, found by their bytes in one flat table.
struct Vocabulary: Sendable {
    /// What `token` returns for bytes that are none; as a rank, that of a pair that never merges.
    static let none = UInt32.max

    /// A place of the table; with a length of 0 it is free.
    private struct Slot {
        /// The bytes of a token of up to eight, else a hash of them.
        var key: UInt64 = 0
        /// The token, which is also its rank: lower ones merge first.
        var token: UInt32 = 0
        /// Where its bytes stand in `bytes`, and in the lowest eight bits how many they are.
        var place: UInt32 = 0
    }

    private var slots: [Slot]
    private var bytes: [UInt8] = []
    private var longest = 0

    /// The tokens of two bytes, by both as a number, the first the lower byte.
    private var pairs = [UInt32](repeating: none, count: 0x10000)

    /// A bit for every hash that some token has: small enough for the cache, and tells most bytes
    /// that are no token.
    private var hashes = [UInt64](repeating: 0, count: 1 << 15)

    /// Makes room for `count` tokens.
    init(count: Int, byteCount: Int) {
        slots = Array(repeating: Slot(), count: count * 2)
        bytes.reserveCapacity(byteCount)
    }

    /// Adds a token of 1 to 255 bytes; false when these bytes are one already.
    mutating func add(_ token: UInt32, _ text: ByteText) -> Bool {
        let range = 0..<text.count
        let key = Self.key(text, range)
        let hash = Self.hash(key, range.count)
        hashes[Int(hash >> 49)] |= 1 << (hash >> 43 & 63)
        var index = index(hash)
        while slots[index].place != 0 {
            if matches(slots[index], key, text, range) { return false }
            index = index + 1 == slots.count ? 0 : index + 1
        }
        slots[index] = Slot(
            key: key, token: token, place: UInt32(bytes.count) << 8 | UInt32(text.count))
        for position in range { bytes.append(text[position]) }
        longest = max(longest, text.count)
        if text.count == 2 { pairs[Int(text.word(at: 0, 2))] = token }
        return true
    }

    /// The token that has just the bytes of a range, which is not empty; `none` when there is none.
    @inline(__always)
    func token(_ text: ByteText, _ range: Range<Int>) -> UInt32 {
        if range.count > longest { return Self.none }
        let key = Self.key(text, range)
        let hash = Self.hash(key, range.count)
        if hashes[Int(hash >> 49)] >> (hash >> 43 & 63) & 1 == 0 { return Self.none }
        var index = index(hash)
        while true {
            let slot = slots[index]
            if slot.place == 0 { return Self.none }
            if matches(slot, key, text, range) { return slot.token }
            index = index + 1 == slots.count ? 0 : index + 1
        }
    }

    /// The token that is the byte at a position and the one after it; `none` when there is none.
    @inline(__always)
    func token(_ text: ByteText, byteAndNext position: Int) -> UInt32 {
        pairs[Int(text[position]) | Int(text[position + 1]) << 8]
    }

    @inline(__always)
    private func matches(_ slot: Slot, _ key: UInt64, _ text: ByteText, _ range: Range<Int>) -> Bool
    {
        slot.key == key && Int(slot.place & 0xff) == range.count
            && (range.count <= 8 || text.equals(range, bytes, at: Int(slot.place >> 8)))
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
        Int(truncatingIfNeeded: hash.multipliedFullWidth(by: UInt64(slots.count)).high)
    }
}
