using Xunit;

namespace Millrace.Tests.Support;

/// <summary>Waits for a condition under a deadline; the pause in between only spares the processor.</summary>
public static class Waiting
{
    public static async Task UntilAsync(Func<Task<bool>> condition, string what, int seconds = 30)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(TimeSpan.FromSeconds(seconds));
        while (!await condition())
        {
            try { await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, deadline.Token); }
            catch (OperationCanceledException) { Assert.Fail($"Not within {seconds} s: {what}"); }
        }
    }

    public static Task UntilAsync(Func<bool> condition, string what, int seconds = 30) => UntilAsync(() => Task.FromResult(condition()), what, seconds);
}
