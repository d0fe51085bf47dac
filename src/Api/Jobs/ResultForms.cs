using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using Millrace.Hosting.Inference;

namespace Millrace.Api.Jobs;

/// <summary>How a result is to travel.</summary>
internal enum ResultForm
{
    /// <summary>Each output as the job asked for it.</summary>
    AsAsked,
    Json,
    Binary,
}

/// <summary>The header Accept of a call for a result.</summary>
/// <remarks>Source: RFC 9110 §12.5.1.</remarks>
internal static class ResultForms
{
    /// <summary>The form that is named, or liked better; null when neither is taken. Ranges as <c>*/*</c> leave it to the job.</summary>
    public static ResultForm? Of(HttpRequest request)
    {
        if (request.Headers.Accept.Count == 0 || !MediaTypeHeaderValue.TryParseList(request.Headers.Accept, out var accepted))
            return ResultForm.AsAsked;
        var json = Rank(accepted, "application/json");
        var binary = Rank(accepted, "application/octet-stream");
        if (json.Quality == 0 && binary.Quality == 0)
            return null;
        return json.CompareTo(binary) switch
        {
            > 0 => ResultForm.Json,
            < 0 => ResultForm.Binary,
            0 => ResultForm.AsAsked,
        };
    }

    public static InferenceResponse Apply(this ResultForm form, InferenceResponse response) => form == ResultForm.AsAsked
        ? response
        : response with { Outputs = response.Outputs.Select(o => o with { AsBinary = form == ResultForm.Binary }).ToArray() };

    /// <summary>What the most specific range that fits says of a type; among equals the one that names it goes first.</summary>
    private static (double Quality, int Specific) Rank(IList<MediaTypeHeaderValue> accepted, string type)
    {
        var best = (Quality: 0d, Specific: -1);
        foreach (var range in accepted)
        {
            var specific = range.MediaType.Equals(type, StringComparison.OrdinalIgnoreCase) ? 2
                : range.MediaType.Equals("application/*", StringComparison.OrdinalIgnoreCase) ? 1
                : range.MatchesAllTypes ? 0 : -1;
            if (specific > best.Specific)
                best = (range.Quality ?? 1, specific);
        }
        return best;
    }
}
