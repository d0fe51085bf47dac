namespace Millrace.Rollback;

internal static class Settings
{
    /// <param name="faults">What is wrong with values that could be read, each as <c>Setting: why</c>.</param>
    /// <exception cref="SettingsException">One line that names every bad setting.</exception>
    public static T Read<T>(IConfiguration configuration, string name, Func<T, IEnumerable<string>> faults) where T : class, new()
    {
        var section = configuration.GetSection($"Millrace:{name}");
        var known = typeof(T).GetProperties().Select(p => p.Name).ToHashSet(StringComparer.OrdinalIgnoreCase);
        var found = section.GetChildren().Where(c => !known.Contains(c.Key)).Select(c => $"{c.Path}: there is no such setting; known here: {string.Join(", ", known.Order())}").ToList();
        var options = new T();
        try { section.Bind(options); }
        catch (InvalidOperationException error)
        {
            var bad = section.GetChildren().FirstOrDefault(c => error.Message.Contains(c.Path, StringComparison.OrdinalIgnoreCase));
            found.Add($"{bad?.Path ?? section.Path}: '{bad?.Value}' can't be read ({error.InnerException?.Message ?? error.Message})");
        }
        found.AddRange(faults(options).Select(f => $"{section.Path}:{f}"));
        return found.Count == 0 ? options : throw new SettingsException(string.Join("; ", found));
    }
}
