import ArgumentParser
import NIOCore
import NIOPosix

@main
enum Entry {
    static func main() async {
        // Tasks run on the event loops that read their requests, which saves a hop between threads for each of them.
        // It has to happen before the first task does.
        _ = NIOSingletons.unsafeTryInstallSingletonPosixEventLoopGroupAsConcurrencyGlobalExecutor()
        await AtriumCommand.main(nil)
    }
}
