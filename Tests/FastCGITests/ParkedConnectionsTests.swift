import Testing

@testable import FastCGI

@Suite struct `Parked connections` {
    /// The same with two arrays: slow, but simple.
    private struct Model {
        var new: [Int32] = []
        var kept: [Int32] = []

        mutating func remove(_ descriptor: Int32) -> Bool {
            let count = new.count + kept.count
            new.removeAll { $0 == descriptor }
            kept.removeAll { $0 == descriptor }
            return new.count + kept.count < count
        }
    }

    private func list(_ parked: ParkedConnections, isKept: Bool) -> [Int32] {
        Array(sequence(first: parked.oldest(isKept: isKept)) { $0.map(parked.next(after:)) ?? nil })
            .compactMap(\.self)
    }

    @Test func `stay in the order of their arrival, whichever are added and removed`() {
        var random = SystemRandomNumberGenerator()
        var parked = ParkedConnections()
        var model = Model()
        let start = ContinuousClock.now
        for step in 1...5000 {
            let descriptor = Int32.random(in: 3...60, using: &random)
            if parked[descriptor] == nil && step % 7 != 0 {
                let isKept = Bool.random(using: &random)
                parked.add(descriptor, since: start + .milliseconds(step), isKept: isKept)
                if isKept { model.kept.append(descriptor) } else { model.new.append(descriptor) }
                #expect(parked[descriptor]?.since == start + .milliseconds(step))
            } else {
                #expect(parked.remove(descriptor) == model.remove(descriptor))
                #expect(parked[descriptor] == nil)
            }
            guard step % 50 == 0 else { continue }
            #expect(list(parked, isKept: false) == model.new)
            #expect(list(parked, isKept: true) == model.kept)
            #expect(parked.count == model.new.count + model.kept.count)
            #expect(parked.keptCount == model.kept.count)
        }
    }

    @Test func `are added and removed in constant time`() {
        func time(_ count: Int32) -> Duration {
            var parked = ParkedConnections()
            for descriptor in 0..<count { parked.add(descriptor, since: .now, isKept: true) }
            return ContinuousClock().measure {
                for _ in 1...20_000 {
                    guard let oldest = parked.oldest(isKept: true) else { return }
                    _ = parked.remove(oldest)
                    parked.add(oldest, since: .now, isKept: true)
                }
            }
        }
        let few = (1...3).map { _ in time(100) }.min() ?? .zero
        let many = (1...3).map { _ in time(10_000) }.min() ?? .zero
        #expect(many < few * 5, "100: \(few), 10,000: \(many)")
    }
}
