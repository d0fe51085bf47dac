using System.Security.Cryptography;

namespace Millrace.Tests.Support;

/// <summary>A model repository that changes while a server runs on it.</summary>
public sealed class LiveModels : IDisposable
{
    /// <summary>So that a change is seen at once, and what leaves leaves at once.</summary>
    public static readonly string[] Quick = ["Millrace:Models:ScanEvery=00:00:00.100", "Millrace:Models:UnloadDelay=00:00:00.300", "Millrace:Models:OnDemandIdle=00:00:01"];

    private readonly TemporaryFolder _folder = new();

    public string Path => _folder.Path;

    public string File(string model, string version) => System.IO.Path.Combine(Path, model, version, "model.onnx");

    public static byte[] Fixture(string model, string version = "1") => System.IO.File.ReadAllBytes(System.IO.Path.Combine(Repository.TestModels, model, version, "model.onnx"));

    /// <summary>At once, as whoever deploys models should.</summary>
    public void Put(string model, string version, byte[] onnx) => Write(File(model, version), onnx);

    public void Put(string model, string version, string fixture, string fixtureVersion = "1") => Put(model, version, Fixture(fixture, fixtureVersion));

    public void Configure(string model, string json) => Write(System.IO.Path.Combine(Path, model, "model.json"), System.Text.Encoding.UTF8.GetBytes(json));

    /// <summary>Beside the version's model.</summary>
    public void Put(string model, string version, string name, byte[] bytes) => Write(System.IO.Path.Combine(Path, model, version, name), bytes);

    /// <summary>What <c>sha256sum</c> would write.</summary>
    public void List(string model, string version, params string[] names) => Put(model, version, "SHA256SUMS", System.Text.Encoding.UTF8.GetBytes(string.Concat(
        names.Select(n => $"{Convert.ToHexStringLower(SHA256.HashData(System.IO.File.ReadAllBytes(System.IO.Path.Combine(Path, model, version, n))))}  {n}\n"))));

    public void Remove(string model, string version) => Directory.Delete(System.IO.Path.Combine(Path, model, version), recursive: true);

    public Task<MillraceServer> StartAsync(params string[] settings) => MillraceServer.StartAsync(Path, [.. Quick, .. settings]);

    public void Dispose() => _folder.Dispose();

    private void Write(string file, byte[] bytes)
    {
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(file)!);
        var aside = System.IO.Path.Combine(Path, $".{Guid.NewGuid():N}");
        System.IO.File.WriteAllBytes(aside, bytes);
        System.IO.File.Move(aside, file, overwrite: true);
    }
}

public static class LiveModelsExtensions
{
    /// <summary>State and reason of a version as the index lists it; empty when it does not.</summary>
    public static async Task<(string State, string Reason)> IndexAsync(this HttpClient client, string model, string version)
    {
        var index = (await client.PostAsync("/v2/repository/index", "")).MustBe(200).Json.AsArray();
        var entry = index.SingleOrDefault(e => (string?)e!["name"] == model && (string?)e["version"] == version);
        return ((string?)entry?["state"] ?? "", (string?)entry?["reason"] ?? "");
    }

    public static Task UntilIndexAsync(this HttpClient client, string model, string version, string state) =>
        Waiting.UntilAsync(async () => (await client.IndexAsync(model, version)).State == state, $"{model}/{version} is {(state.Length == 0 ? "gone" : state)}", 60);

    /// <summary>SHA-256 of what serves.</summary>
    public static async Task<string> HashAsync(this HttpClient client, string model, string version) =>
        (string?)(await client.FetchAsync($"/v2/models/{model}/versions/{version}")).Json["properties"]?["sha256"] ?? "";

    public static string Sha256(this byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));
}
