namespace Millrace.Rollback.Releases;

/// <summary>At the start, and after a failure: tries until nothing is left half done, since the next alert may be hours away.</summary>
internal sealed class Unfinished(Rollbacks rollbacks, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                if (rollbacks.IsUnfinished)
                    await rollbacks.ResumeAsync(stoppingToken);
                await Task.Delay(Every, time, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested) { } // what it leaves is written in the record
    }
}
