using Millrace.Api.Errors;
using Millrace.Storage.Jobs;

namespace Millrace.Api.Jobs;

internal static class JobIds
{
    /// <exception cref="RefusedException">404, as for an unknown job: an id that can't be is no better known than one that is not.</exception>
    public static JobId Parse(string text) => JobId.TryParse(text, out var id) ? id : throw Unknown();

    public static RefusedException Unknown() => new(ErrorCode.JobNotFound, "There is no job of this id.");
}
