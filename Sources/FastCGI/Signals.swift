import CFastCGI
import Glibc

/// The signals of the life cycle, taken by one thread and by no handler.
public enum Signals {
    /// What the process is asked to do.
    public enum Request: Sendable {
        /// TERM, QUIT or INT: answer what was accepted, then exit.
        case drain
        /// HUP: read the configuration again.
        case reload
        /// USR1: switch the log level between the configured one and `debug`.
        case switchLogLevel
    }

    private static let handled = [SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1]

    /// Blocks the signals, then readies libfcgi; call it first, before any thread exists.
    ///
    /// `FCGX_Init` puts handlers without `SA_RESTART` on PIPE, TERM and USR1, and one signal that
    /// reaches a writing thread ends its answer. Blocked in all threads they cannot.
    public static func prepare() throws(FastCGIError) {
        var set = handledSet()
        sigaddset(&set, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        guard FCGX_Init() == 0 else { throw FastCGIError("FCGX_Init") }
        signal(SIGPIPE, SIG_IGN)
        signal(SIGTERM, SIG_DFL)
        signal(SIGUSR1, SIG_DFL)
    }

    /// Waits for the next signal.
    public static func next() -> Request {
        var set = handledSet()
        var number: Int32 = 0
        while sigwait(&set, &number) != 0 {}
        switch number {
        case SIGHUP: return .reload
        case SIGUSR1: return .switchLogLevel
        default: return .drain
        }
    }

    private static func handledSet() -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for number in handled { sigaddset(&set, number) }
        return set
    }
}
