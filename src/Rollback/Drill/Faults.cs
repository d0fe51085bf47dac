using System.Text.Json;

namespace Millrace.Rollback.Drill;

internal static class Faults
{
    /// <summary>No answer, or one that can't be read: to be asked again.</summary>
    public static bool Outside(Exception error, CancellationToken cancellation) =>
        error is HttpRequestException or IOException or JsonException or InvalidOperationException or FormatException or OperationCanceledException && !cancellation.IsCancellationRequested;
}
