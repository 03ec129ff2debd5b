/// Byte-pair encoding of a piece of at most 255 bytes, without heap memory.
///
/// Merges the neighbours of lowest rank, the leftmost first, until none has a rank.
struct ShortPieceMerger {
    /// Maximum size of a piece in bytes.
    static let limit = 255

    /// The rank of the pair whose left part begins at a byte, times 256, plus that byte.
    ///
    /// The lowest number is the pair to merge. Ranks have 18 bits.
    private var pairs = InlineArray<32, SIMD8<Int32>>(repeating: SIMD8(repeating: Self.none))

    /// Where the part after the one at a byte begins, and the part before it.
    private var next = InlineArray<256, UInt8>(repeating: 0)
    private var previous = InlineArray<256, UInt8>(repeating: 0)

    private static let none = Int32.max

    /// Merges the bytes of a piece; `forEachPart` then returns the parts.
    mutating func merge(_ text: ByteText, _ piece: Range<Int>, _ vocabulary: Vocabulary) {
        let count = piece.count
        let vectors = (count + 7) / 8
        for index in 0..<vectors { pairs[index] = SIMD8(repeating: Self.none) }
        for start in 0..<count {
            next[start] = UInt8(truncatingIfNeeded: start + 1)
            previous[start] = UInt8(truncatingIfNeeded: start &- 1)
            if start + 2 <= count {
                set(start, vocabulary.token(text, byteAndNext: piece.lowerBound + start))
            }
        }
        while true {
            var lowest = pairs[0]
            for index in 1..<vectors { lowest = pointwiseMin(lowest, pairs[index]) }
            let pair = lowest.min()
            if pair == Self.none { return }
            let left = Int(pair & 0xff)
            let right = Int(next[left])
            let end = Int(next[right])
            next[left] = UInt8(truncatingIfNeeded: end)
            clear(right)
            if end < count {
                previous[end] = UInt8(truncatingIfNeeded: left)
                let pair = piece.lowerBound + left..<piece.lowerBound + Int(next[end])
                set(left, vocabulary.token(text, pair))
            } else {
                clear(left)
            }
            if left > 0 {
                let before = Int(previous[left])
                set(
                    before,
                    vocabulary.token(text, piece.lowerBound + before..<piece.lowerBound + end))
            }
        }
    }

    /// Calls `body` for each part of the last merged piece, in order.
    @inline(__always)
    func forEachPart(of piece: Range<Int>, _ body: (Range<Int>) -> Void) {
        var start = 0
        while start < piece.count {
            let end = Int(next[start])
            body(piece.lowerBound + start..<piece.lowerBound + end)
            start = end
        }
    }

    @inline(__always)
    private mutating func set(_ start: Int, _ rank: UInt32) {
        pairs[start >> 3][start & 7] =
            rank == Vocabulary.none
            ? Self.none : Int32(truncatingIfNeeded: rank) << 8 | Int32(truncatingIfNeeded: start)
    }

    @inline(__always)
    private mutating func clear(_ start: Int) { pairs[start >> 3][start & 7] = Self.none }
}
