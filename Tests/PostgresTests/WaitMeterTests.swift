import Glibc
import Postgres
import Testing

@Suite struct `A wait meter` {
    @Test func `counts a wait within another one once`() {
        let meter = WaitMeter()
        let start = ContinuousClock.now
        meter.timing {
            usleep(20_000)
            meter.timing { _ = usleep(20_000) }
        }
        let taken = ContinuousClock.now - start
        #expect(meter.waited >= .milliseconds(40) && meter.waited <= taken)
        meter.reset()
        #expect(meter.waited == .zero)
    }

    @Test func `says how long the waits of a request may still take together`() {
        let meter = WaitMeter()
        #expect(meter.remaining == nil)
        meter.reset(limit: .seconds(12))
        meter.timing {
            usleep(20_000)
            #expect(meter.remaining.map { $0 <= .milliseconds(11_980) } == true)
        }
        meter.within(.seconds(2)) {
            #expect(meter.remaining.map { $0 > .seconds(1) && $0 <= .seconds(2) } == true)
        }
        #expect(meter.remaining.map { $0 > .seconds(11) } == true)
        meter.within(.seconds(60)) {
            #expect(meter.remaining.map { $0 <= .milliseconds(11_980) } == true)
        }
        meter.endLimit()
        #expect(meter.remaining == nil)
    }
}
