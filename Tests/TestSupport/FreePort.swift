import Foundation

/// A port of this machine that nobody listens on.
///
/// It is below those that Linux gives to connections, which come and go meanwhile.
public func freePort() throws -> Int {
    let script = """
        import random, socket
        for _ in range(1000):
            try:
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", random.randrange(16384, 32768)))
                    print(probe.getsockname()[1])
                    break
            except OSError:
                pass
        """
    let bound = try Program.run("/usr/bin/env", ["python3", "-c", script])
    return Int(bound.output.trimmingCharacters(in: .newlines)) ?? 0
}
