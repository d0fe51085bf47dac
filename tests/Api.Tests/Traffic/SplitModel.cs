using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Traffic;

/// <summary>A repository with one model, m, whose versions are fixture models.</summary>
internal static class SplitModel
{
    /// <param name="settings">Its model.json.</param>
    /// <param name="versions">As <c>stepper/2</c>: the first becomes version 1.</param>
    public static TemporaryFolder Of(string settings, params string[] versions)
    {
        var folder = new TemporaryFolder();
        for (var at = 0; at < versions.Length; at++)
        {
            var version = Directory.CreateDirectory(Path.Combine(folder.Path, "m", $"{at + 1}"));
            File.Copy(Path.Combine(Repository.TestModels, versions[at], "model.onnx"), Path.Combine(version.FullName, "model.onnx"));
        }
        File.WriteAllText(Path.Combine(folder.Path, "m", "model.json"), settings);
        return folder;
    }

    /// <summary>What GET /v1/traffic says of one of its versions.</summary>
    public static async Task<System.Text.Json.Nodes.JsonNode> TrafficAsync(this HttpClient client, string version) =>
        (await client.FetchAsync("/v1/traffic")).MustBe(200).Json["data"]!.AsArray().Single()!["versions"]!.AsArray().Single(v => (string?)v!["version"] == version)!;
}
