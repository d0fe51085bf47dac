namespace Millrace.Worker.Models;

/// <summary>Where models are found.</summary>
public sealed class ModelsOptions
{
    /// <summary>The model repository: a folder with <c>{name}/{version}/model.onnx</c> and, where wanted, <c>{name}/model.json</c>. Default <c>./models</c>.</summary>
    public string Path { get; set; } = "./models";

    /// <summary>The models that this worker serves, by commas. Default empty: all there are.</summary>
    public string Names { get; set; } = "";
}
