import FastCGI
import Foundation
import Testing

@Suite struct `The start mode` {
    private func mode(
        flag: String? = nil, _ environment: [String: String] = [:], listening: [Int32] = []
    ) -> StartMode? {
        StartMode(
            socketFlag: flag, environment: { environment[$0] },
            isListening: { listening.contains($0) })
    }

    private let systemd = ["LISTEN_PID": String(getpid()), "LISTEN_FDS": "1"]
    private let cgi = ["REQUEST_METHOD": "GET"]

    @Test func `is the flag's before all else`() {
        let environment = systemd.merging(cgi) { $1 }
        #expect(mode(flag: "/s", environment, listening: [0]) == .socket(path: "/s"))
    }

    @Test func `is systemd's before descriptor 0`() {
        #expect(mode(systemd, listening: [0, 3]) == .inherited(descriptor: 3))
    }

    @Test func `is not systemd's when that spoke to another process`() {
        #expect(mode(["LISTEN_PID": "1", "LISTEN_FDS": "1"]) == nil)
        #expect(mode(["LISTEN_PID": String(getpid()), "LISTEN_FDS": "0"]) == nil)
    }

    @Test func `is descriptor 0's before CGI`() {
        #expect(mode(cgi, listening: [0]) == .inherited(descriptor: 0))
    }

    @Test func `is CGI with a request method, which may stand alone`() {
        #expect(mode(cgi) == .cgi)
        #expect(mode(["REQUEST_METHOD": ""]) == nil)
        #expect(mode() == nil)
    }
}
