/// Byte-pair encoding of a piece of any length, in almost linear time.
struct LongPieceMerger {
    private let text: ByteText
    private let vocabulary: Vocabulary

    /// How many bytes are merged at once; the work then stays in the processor's cache.
    private let window: Int

    /// A tournament over the ranks of all pairs: the leaf `leaves + n` is the pair whose left part
    /// begins at byte n of the piece, and each node is the lower one of the two below.
    private var ranks: [UInt32] = []
    private var leaves = 0

    /// Where the part after the one at a byte of the piece begins, and the part before it.
    private var next: [Int32] = []
    private var previous: [Int32] = []

    init(_ text: ByteText, _ vocabulary: Vocabulary, window: Int = 2048) {
        self.text = text
        self.vocabulary = vocabulary
        self.window = window
    }

    /// Calls `body` for each part of a piece, in order.
    ///
    /// Merges overlapping windows; the result is the same as for the whole piece. A list of parts is
    /// the encoding of its text if and only if each pair of neighbours is the encoding of theirs:
    /// until a merge crosses the border of two parts, they merge independently, and whether one
    /// crosses it depends only on these two. So if two overlapping windows agree on a part, the parts
    /// before it in the first window and from it on in the second are the encoding of both. Windows
    /// that do not agree are enlarged. A window with the bytes of the one before has its parts, so a
    /// repetition is not merged again.
    mutating func forEachPart(of piece: Range<Int>, _ body: (Range<Int>) -> Void) {
        var start = piece.lowerBound
        var window = self.window
        var parts = parts(start..<min(start + window, piece.upperBound))
        func advance(by count: Int) {
            for part in parts[..<count] { body(start + part.lowerBound..<start + part.upperBound) }
            start += parts[count - 1].upperBound
        }
        func repeats(from cut: Int) -> Bool {
            let from = start + parts[cut].lowerBound
            return parts[cut].count == parts[0].count && from + window <= piece.upperBound
                && text.equals(start..<start + window, from)
        }
        while start + window < piece.upperBound {
            // The last eighth of a window may depend on what follows.
            let last =
                (parts.firstIndex { $0.lowerBound >= window / 8 * 7 } ?? parts.count)..<parts.count
            if let cut = last.first(where: repeats) {
                repeat { advance(by: cut) } while repeats(from: cut)
                continue
            }
            if let cut = last.first {
                let from = start + parts[cut].lowerBound
                let following = self.parts(from..<min(from + self.window, piece.upperBound))
                if following[0].count == parts[cut].count {
                    advance(by: cut)
                    window = self.window
                    parts = following
                    continue
                }
            }
            window *= 2
            parts = self.parts(start..<min(start + window, piece.upperBound))
        }
        advance(by: parts.count)
    }

    /// The parts of a piece that is merged as a whole, from its beginning.
    private mutating func parts(_ piece: Range<Int>) -> [Range<Int>] {
        merge(piece)
        var parts: [Range<Int>] = []
        var start = 0
        while start < piece.count {
            let end = Int(next[start])
            parts.append(start..<end)
            start = end
        }
        return parts
    }

    /// Merges the neighbours of lowest rank, the leftmost first, until none has a rank.
    private mutating func merge(_ piece: Range<Int>) {
        begin(piece)
        while ranks[1] != Vocabulary.none {
            var node = 1
            while node < leaves {
                node = 2 * node + (ranks[2 * node] <= ranks[2 * node + 1] ? 0 : 1)
            }
            let left = node - leaves
            let right = Int(next[left])
            let end = Int(next[right])
            next[left] = Int32(end)
            if end < piece.count { previous[end] = Int32(left) }
            set(right, Vocabulary.none)
            set(left, rank(piece, left, end))
            if left > 0 {
                let before = Int(previous[left])
                set(before, rank(piece, before, left))
            }
        }
    }

    /// Begins with a part for each byte.
    private mutating func begin(_ piece: Range<Int>) {
        leaves = 2
        while leaves < piece.count { leaves *= 2 }
        if ranks.count < 2 * leaves {
            ranks = Array(repeating: Vocabulary.none, count: 2 * leaves)
            next = Array(repeating: 0, count: leaves)
            previous = next
        }
        for index in 0..<piece.count {
            next[index] = Int32(index + 1)
            previous[index] = Int32(index - 1)
            ranks[leaves + index] =
                index + 1 < piece.count
                ? vocabulary.token(text, byteAndNext: piece.lowerBound + index)
                : Vocabulary.none
        }
        for index in piece.count..<leaves { ranks[leaves + index] = Vocabulary.none }
        for node in stride(from: leaves - 1, through: 1, by: -1) {
            ranks[node] = min(ranks[2 * node], ranks[2 * node + 1])
        }
    }

    /// The rank of the pair whose left part begins at `left`, and whose right part at `right`.
    private func rank(_ piece: Range<Int>, _ left: Int, _ right: Int) -> UInt32 {
        guard right < piece.count else { return Vocabulary.none }
        return vocabulary.token(
            text, piece.lowerBound + left..<piece.lowerBound + Int(next[right]))
    }

    /// Sets the rank of the pair whose left part begins at `left`.
    private mutating func set(_ left: Int, _ rank: UInt32) {
        var node = leaves + left
        ranks[node] = rank
        while node > 1 {
            node /= 2
            let lower = min(ranks[2 * node], ranks[2 * node + 1])
            if ranks[node] == lower { return }
            ranks[node] = lower
        }
    }
}
