using System.Diagnostics;
using System.Threading.Channels;
using Microsoft.Data.Sqlite;

namespace Millrace.Storage.Sqlite;

/// <summary>The one thread that writes. All that waits when a transaction ends goes into the next one, so that concurrent writes share one fsync.</summary>
/// <remarks>A write must be repeatable: when one of a group fails, the group is rolled back and each is tried in a transaction of its own.</remarks>
internal sealed class SqliteWriter : IAsyncDisposable
{
    private const int LargestGroup = 256;

    private readonly Channel<Write> _waiting = Channel.CreateUnbounded<Write>(new UnboundedChannelOptions { SingleReader = true });
    private readonly SqliteSession _session;
    private readonly Thread _thread;

    public SqliteWriter(SqliteSession session)
    {
        _session = session;
        _thread = new Thread(Run) { IsBackground = true, Name = "store writer" };
        _thread.Start();
    }

    /// <summary>Runs in the next transaction; when the task ends, the transaction is on disk.</summary>
    public Task<T> WriteAsync<T>(Func<SqliteSession, T> write, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested(); // later it is too late: the outcome must be known
        var work = new Write<T>(write);
        if (!_waiting.Writer.TryWrite(work))
            throw new StoreUnavailableException("The store is closed.");
        return work.Task;
    }

    public async ValueTask DisposeAsync()
    {
        _waiting.Writer.TryComplete();
        await Task.Run(_thread.Join);
        _session.Dispose();
    }

    private void Run()
    {
        var group = new List<Write>(LargestGroup);
        var waiting = _waiting.Reader;
        while (WaitForWork(waiting))
        {
            while (group.Count < LargestGroup && waiting.TryRead(out var write))
                group.Add(write);
            if (TryCommit(group) is { } error)
            {
                foreach (var write in group)
                    write.Complete(group.Count == 1 ? error : TryCommit([write]));
            }
            else
            {
                foreach (var write in group)
                    write.Complete(null);
            }
            group.Clear();
        }
    }

    private static bool WaitForWork(ChannelReader<Write> waiting)
    {
        var ready = waiting.WaitToReadAsync();
        return ready.IsCompleted ? ready.Result : ready.AsTask().GetAwaiter().GetResult();
    }

    private Exception? TryCommit(IReadOnlyList<Write> group)
    {
        var begun = false;
        try
        {
            _session.Windows.Clear();
            _session.Execute("BEGIN IMMEDIATE");
            begun = true;
            foreach (var write in group)
                write.Run(_session);
            _session.Execute("COMMIT");
            return null;
        }
        catch (Exception error) when (error is not UnreachableException) // whatever it was, it is the caller's to hear, and this thread must live
        {
            if (begun)
                RollBack();
            return error is SqliteException broken ? SqliteFaults.Translate(broken) : error;
        }
    }

    private void RollBack()
    {
        try { _session.Execute("ROLLBACK"); }
        catch (SqliteException) { } // SQLite has rolled back by itself, as it does when the disk is full
    }

    private abstract class Write
    {
        public abstract void Run(SqliteSession session);
        public abstract void Complete(Exception? error);
    }

    private sealed class Write<T>(Func<SqliteSession, T> write) : Write
    {
        private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private T? _result;

        public Task<T> Task => _done.Task;

        public override void Run(SqliteSession session) => _result = write(session);

        public override void Complete(Exception? error)
        {
            if (error is null)
                _done.SetResult(_result!);
            else
                _done.SetException(error);
        }
    }
}
