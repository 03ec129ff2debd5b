import CFastCGI
import Glibc
import Testing

@testable import FastCGI

@Suite struct `A kept connection` {
    /// A keep-alive connection after its request, and nginx's end of it.
    private func kept(in connections: Connections) throws -> (ours: Int32, nginx: Int32) {
        var ends: [Int32] = [0, 0]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        connections.add(ends[0])
        #expect(connections.claim(ends[0]))
        connections.park(ends[0])
        return (ends[0], ends[1])
    }

    /// What nginx gets when it reads: the number of bytes, 0 at the end, or -1 when nothing comes.
    private func read(_ connection: Int32) -> Int {
        var byte: UInt8 = 0
        return recv(connection, &byte, 1, Int32(MSG_DONTWAIT))
    }

    @Test func `that a worker returns during a drain is closed, but not with a request on it`()
        throws
    {
        let connections = Connections(epoll: epoll_create1(Int32(EPOLL_CLOEXEC)))
        let asking = try kept(in: connections)
        let silent = try kept(in: connections)
        let late = try kept(in: connections)
        for end in [asking, silent, late] { #expect(connections.claim(end.ours)) }
        connections.closeKept()
        #expect(send(asking.nginx, "request", 7, 0) == 7)
        connections.park(asking.ours)
        connections.park(silent.ours)
        #expect(read(silent.nginx) == 0)
        #expect(read(asking.nginx) == -1 && connections.count == 1)
        // Nobody will read any more.
        connections.breakOff()
        #expect(send(late.nginx, "request", 7, 0) == 7)
        connections.park(late.ours)
        #expect(connections.count == 0)
        for end in [asking, silent, late] { close(end.nginx) }
    }

    @Test func `is closed when it is silent, and not when a request has come that nobody saw`()
        throws
    {
        let closings: [@Sendable (Connections) -> Void] = [
            { _ = $0.closeKept(since: .now) },
            { $0.closeKept() },
            { $0.closeSilent(since: .now) },
            { _ = $0.closeOldestKept(since: .now) },
        ]
        for closeSome in closings {
            let connections = Connections(epoll: epoll_create1(Int32(EPOLL_CLOEXEC)))
            // The one with a request is the older one.
            let asking = try kept(in: connections)
            let silent = try kept(in: connections)
            #expect(send(asking.nginx, "request", 7, 0) == 7)
            closeSome(connections)
            #expect(read(silent.nginx) == 0)
            #expect(read(asking.nginx) == -1)
            #expect(connections.count == 1)
            #expect(connections.claim(asking.ours))
            for end in [asking.ours, asking.nginx, silent.nginx] { close(end) }
        }
    }

    @Test func `is closed to make room only when it was silent for a while, or nginx closed it`()
        throws
    {
        let connections = Connections(epoll: epoll_create1(Int32(EPOLL_CLOEXEC)))
        let start = ContinuousClock.now
        let first = try kept(in: connections)
        let second = try kept(in: connections)
        #expect(!connections.closeOldestKept(since: start))
        close(second.nginx)
        #expect(connections.closeOldestKept(since: start))
        #expect(read(first.nginx) == -1 && connections.count == 1)
        #expect(connections.closeOldestKept(since: .now))
        #expect(read(first.nginx) == 0 && connections.count == 0)
        close(first.nginx)
    }
}
