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
}
