import FastCGI
import Glibc

extension Exchange {
    /// Whether the client has closed its end, so that nobody waits for the answer.
    var isClientGone: Bool {
        guard let clientDescriptor else { return false }
        var event = pollfd(fd: clientDescriptor, events: 0, revents: 0)
        return poll(&event, 1, 0) > 0
    }
}
